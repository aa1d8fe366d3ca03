// Servers and many clients.
#include "many_clients.h"
#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

TEST_CASE("a thousand clients at once are all accepted, without a second's stall for anybody") {
    TcpServer server;
    server.setMaxPendingConnections(2000);
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto start = std::chrono::steady_clock::now();
    const auto all = clients(server, 500); // more than any backlog of old
    CHECK(pumpUntil([&] { return announced == 500; }));
    const auto more = clients(server, 500);
    CHECK(pumpUntil([&] { return announced == 1000; }));
    CHECK(std::chrono::steady_clock::now() - start < patience(3s)); // a SYN that is dropped comes again after one
}

TEST_CASE("ten thousand connections through one listener, each with its answer") {
    TcpServer server;
    int answered = 0;
    int ended = 0;
    server.newConnection.connect([&] {
        while (TcpSocket* const client = server.nextPendingConnection()) {
            client->readyRead.connect(client, [client, &answered] {
                ++answered;
                client->write(client->readAll());
            });
            client->disconnected.connect(client, [client, &ended] {
                ++ended;
                client->deleteLater();
            });
        }
    });
    REQUIRE(server.listen(HostAddress::LocalHost));
    int right = 0;
    for (int round = 1; round <= 100; ++round) {
        const auto some = clients(server, 100);
        for (const PlainSocket& each : some)
            each.send("ping");
        REQUIRE(pumpUntil([&] { return answered == round * 100; }));
        for (const PlainSocket& each : some)
            right += each.receive(4) == "ping";
        for (const PlainSocket& each : some)
            PlainSocket(::dup(each.descriptor())).reset(); // no 10,000 ports in TIME_WAIT
    }
    CHECK(right == 10'000);
    CHECK(pumpUntil([&] { return ended == 10'000; }));
    pumpIdle();
    CHECK(server.children().empty());
}

TEST_CASE("a thousand clients that reset before they are accepted harm nobody, and each is told of") {
    TcpServer server;
    server.setMaxPendingConnections(2000);
    int announced = 0;
    int ended = 0;
    int wrong = 0;
    server.newConnection.connect([&] { ++announced; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    for (PlainSocket& each : clients(server, 1000)) {
        each.send("x");
        each.reset();
    }
    auto last = clients(server, 1);
    last.front().send("still here");
    REQUIRE(pumpUntil([&] { return announced == 1001; })); // the kernel hands out connections that are reset, too
    int taken = 0;
    std::string got;
    while (TcpSocket* const socket = server.nextPendingConnection()) {
        ++taken;
        socket->disconnected.connect([&ended] { ++ended; });
        socket->errorOccurred.connect(
            [&](SocketError error) { wrong += error == SocketError::RemoteHostClosed ? 0 : 1; });
        socket->readyRead.connect([socket, &got] { got += socket->readAll(); });
    }
    CHECK(taken == 1001);
    CHECK(pumpUntil([&] { return ended == 1000 && got.ends_with("still here"); }));
    CHECK(wrong == 0);
}

TEST_CASE("clients that reset while they wait to be taken are told of when they are") {
    TcpServer server;
    server.setMaxPendingConnections(2000);
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    auto all = clients(server, 100);
    REQUIRE(pumpUntil([&] { return announced == 100; }));
    for (std::size_t i = 0; i != all.size(); ++i) {
        if (i % 2 == 0)
            all[i].send("x");
        if (i % 3 == 0)
            all[i].close();
        else
            all[i].reset();
    }
    pumpIdle();
    int ended = 0;
    while (TcpSocket* const socket = server.nextPendingConnection()) {
        CHECK(socket->state() == SocketState::Connected); // nothing of it has happened yet
        socket->disconnected.connect([&ended] { ++ended; });
    }
    CHECK(pumpUntil([&] { return ended == 100; }));
}

TEST_CASE("who is connected already is served all through a storm of clients") {
    TcpServer server;
    server.setMaxPendingConnections(2000);
    TcpPair pair;
    int since = 0;
    int most = 0;
    int turns = 0;
    int announced = 0;
    pair.far->readyRead.connect([&] { pair.far->write(pair.far->readAll()); });
    pair.near->readyRead.connect([&] {
        ++turns;
        most = std::max(most, since);
        since = 0;
        pair.near->write(pair.near->readAll());
    });
    server.newConnection.connect([&] {
        ++since;
        ++announced;
    });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 800);
    pair.near->write("to and fro");
    REQUIRE(pumpUntil([&] { return announced == 800; }));
    CHECK(turns >= 4);
    CHECK(most <= 4 * 64); // there and back is up to four turns of the loop
}
