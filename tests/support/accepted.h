#pragma once

#include "plain_socket.h"

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <memory>
#include <stdexcept>

namespace halyard::test {

/// A socket whose peer is plain.
struct Accepted {
    Accepted() {
        TcpServer server;
        server.listen(HostAddress::LocalHost);
        peer = PlainSocket::connectedTo(server.serverPort());
        if (!server.waitForNewConnection(5000))
            throw std::runtime_error("the test's client does not come");
        socket.reset(server.nextPendingConnection());
        socket->setParent(nullptr);
    }

    PlainSocket peer;
    std::unique_ptr<TcpSocket> socket;
};

} // namespace halyard::test
