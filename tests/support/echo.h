#pragma once

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <string>

namespace halyard::test {

/// An echo server, and a client that sends the next byte when an answer has come.
struct Echo {
    Echo() {
        server.newConnection.connect([this] {
            TcpSocket* const socket = server.nextPendingConnection();
            socket->readyRead.connect([socket] { socket->write(socket->readAll()); });
        });
        client.connected.connect([this] { client.write("x"); });
        client.readyRead.connect([this] {
            got += client.readAll();
            client.write("x");
        });
        REQUIRE(server.listen(HostAddress::LocalHost));
    }
    void begin() { client.connectToHost(HostAddress::LocalHost, server.serverPort()); }

    TcpServer server;
    TcpSocket client;
    std::string got;
};

} // namespace halyard::test
