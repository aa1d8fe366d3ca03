#pragma once

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <memory>
#include <stdexcept>

namespace halyard::test {

/// Two sockets that are connected with each other, both on this thread's loop.
struct TcpPair {
    TcpPair() {
        TcpServer server;
        server.listen(HostAddress::LocalHost);
        near->connectToHost(HostAddress::LocalHost, server.serverPort());
        if (!pumpUntil([&] { return near->state() == SocketState::Connected && server.hasPendingConnections(); }))
            throw std::runtime_error("the test's pair does not connect");
        far.reset(server.nextPendingConnection());
        far->setParent(nullptr);
    }

    std::unique_ptr<TcpSocket> near = std::make_unique<TcpSocket>();
    std::unique_ptr<TcpSocket> far;
};

} // namespace halyard::test
