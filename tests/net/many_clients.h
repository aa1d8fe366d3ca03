#pragma once

#include <halyard/net/tcp_server.h>

#include <plain_socket.h>

#include <vector>

namespace halyard::test {

/// So many connections to a server that listens at loopback; the kernel's backlog has them when this returns.
inline std::vector<PlainSocket> clients(const TcpServer& server, int count) {
    std::vector<PlainSocket> all;
    for (int i = 0; i != count; ++i)
        all.push_back(PlainSocket::connectedTo(server.serverPort()));
    return all;
}

} // namespace halyard::test
