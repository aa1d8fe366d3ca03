// The graceful end of a server.
#include "many_clients.h"

#include <halyard/core/signal_spy.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/drain.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>
#include <plain_socket.h>
#include <pump.h>
#include <pump_peer.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// An echo server that drains.
struct Service {
    Service() {
        drain.add(server);
        server.newConnection.connect(&server, [this] {
            while (TcpSocket* const client = server.nextPendingConnection()) {
                drain.add(*client);
                sockets.emplace_back(client);
                client->readyRead.connect(client, [client] { client->write(client->readAll()); });
                client->disconnected.connect(client, &Object::deleteLater);
            }
        });
        REQUIRE(server.listen(HostAddress::LocalHost));
    }

    /// A client that is served.
    PlainSocket connect() {
        const std::size_t before = sockets.size();
        auto client = PlainSocket::connectedTo(server.serverPort());
        REQUIRE(pumpUntil([&] { return sockets.size() != before; }));
        return client;
    }

    TcpServer server;
    std::vector<Pointer<TcpSocket>> sockets;
    Drain drain;
    SignalSpy<> finished{drain.finished};
};

} // namespace

TEST_CASE("with nobody there the end comes in the next turn, and not inside start()") {
    Service its;
    its.drain.start();
    CHECK_FALSE(its.server.isListening());
    CHECK(its.finished.count() == 0);
    CHECK(its.finished.wait(patience()));
    its.drain.start(0ms);
    pumpIdle();
    CHECK(its.finished.count() == 1);
}

TEST_CASE("clients finish, and the last of them is the end") {
    Service its;
    auto first = its.connect();
    auto second = its.connect();
    CHECK(its.drain.connections() == 2);
    SignalSpy<> started(its.drain.started);
    its.drain.start();
    CHECK(started.count() == 1);
    first.close();
    CHECK(pumpUntil([&] { return its.drain.connections() == 1; }));
    second.send("still here");
    CHECK(pumpUntil([&] { return its.sockets[1]->bytesToWrite() == 0; }));
    CHECK(pumpPeer(second, 10) == "still here");
    CHECK(its.finished.count() == 0);
    second.close();
    CHECK(its.finished.wait(patience()));
}

TEST_CASE("who waits in the backlog is served still: its connection stands") {
    Service its;
    const auto waiting = clients(its.server, 20);
    its.drain.start();
    CHECK(its.drain.connections() == 20);
    for (const PlainSocket& each : waiting)
        each.send("hello");
    std::size_t echoed = 0;
    for (const PlainSocket& each : waiting)
        echoed += pumpPeer(each, 5) == "hello" ? 1 : 0;
    CHECK(echoed == 20);
    CHECK(its.finished.count() == 0);
}

TEST_CASE("at the deadline the rest is closed, and gets what was written") {
    Service its;
    const auto client = its.connect();
    its.drain.start(30ms);
    client.send("last words");
    CHECK(its.finished.wait(patience()));
    CHECK(its.drain.connections() == 0);
    CHECK(client.receive() == "last words");
}

TEST_CASE("a second start moves the deadline") {
    Service its;
    const auto client = its.connect();
    its.drain.start();
    pumpIdle();
    CHECK(its.finished.count() == 0);
    its.drain.start(0ms);
    CHECK(its.finished.wait(patience()));
}

TEST_CASE("other things are waited for until they are deleted, or the deadline has come") {
    Service its;
    auto thing = std::make_unique<Object>();
    its.drain.waitFor(*thing);
    SUBCASE("deleted") {
        its.drain.start();
        pumpIdle();
        CHECK(its.finished.count() == 0);
        thing.reset();
    }
    SUBCASE("the deadline") { its.drain.start(20ms); }
    CHECK(its.finished.wait(patience()));
}

TEST_CASE("a server that nobody takes connections from, and one that has died, do not hold it up") {
    TcpServer full;
    full.setMaxPendingConnections(2);
    REQUIRE(full.listen(HostAddress::LocalHost));
    const auto waiting = clients(full, 3);
    auto dead = std::make_unique<TcpServer>();
    Drain drain;
    drain.add(full);
    drain.add(*dead);
    dead.reset();
    SignalSpy<> finished(drain.finished);
    drain.start();
    CHECK_FALSE(full.isListening());
    CHECK(finished.wait(patience()));
}

TEST_CASE("servers, clients and the drain itself may be deleted in any slot of it") {
    for (const int which : {0, 1, 2}) {
        auto* const server = new TcpServer;
        auto* const drain = new Drain;
        drain->add(*server);
        Pointer<TcpSocket> socket;
        server->newConnection.connect([&] {
            while (TcpSocket* const client = server->nextPendingConnection()) {
                client->setParent(nullptr);
                socket = client;
                drain->add(*client);
            }
        });
        REQUIRE(server->listen(HostAddress::LocalHost));
        const auto client = PlainSocket::connectedTo(server->serverPort());
        REQUIRE(pumpUntil([&] { return static_cast<bool>(socket); }));
        bool over = false;
        const auto end = [&] {
            over = true;
            delete drain;
        };
        if (which == 0)
            drain->started.connect(end);
        else if (which == 1)
            socket->disconnected.connect(end);
        else
            drain->finished.connect(end);
        drain->start(0ms);
        CHECK(pumpUntil([&] { return over; }));
        delete socket.get();
        delete server;
    }
}

TEST_CASE(
    "a server that has as many connections as it may lets nobody in from its backlog, unless that is raised first") {
    for (const bool raised : {false, true}) {
        CAPTURE(raised);
        Service its;
        const auto limits = std::make_shared<ConnectionLimits>(1);
        its.server.setLimits(limits);
        const PlainSocket served = its.connect();
        const PlainSocket waiting = PlainSocket::connectedTo(its.server.serverPort());
        waiting.send("ahoy");
        pumpIdle();
        if (raised)
            limits->setMaxConnections(0);
        its.drain.start();
        CHECK_FALSE(its.server.isListening());
        if (raised)
            CHECK(pumpPeer(waiting, 4) == "ahoy");
        else
            CHECK(pumpReset(waiting));
        served.send("and I");
        CHECK(pumpPeer(served, 5) == "and I");
    }
}

TEST_CASE("what slots throw keeps a drain neither from closing the servers nor from its end") {
    for (const char where : {'n', 's', 'd'}) {
        CAPTURE(where);
        Service its;
        TcpServer other;
        REQUIRE(other.listen(HostAddress::LocalHost));
        its.drain.add(other);
        std::vector<PlainSocket> served;
        for (int i = 0; i != 3; ++i)
            served.push_back(its.connect());
        const auto fail = [] { throw std::runtime_error("out of a slot"); };
        if (where == 'n')
            its.server.newConnection.connect(fail);
        else if (where == 's')
            its.drain.started.connect(fail);
        else
            for (const Pointer<TcpSocket>& each : its.sockets)
                each->stateChanged.connect([fail](SocketState) { fail(); });
        const auto waiting = clients(its.server, where == 'n' ? 1 : 0);
        CHECK_THROWS_AS(its.drain.start(0ms), std::runtime_error);
        CHECK_FALSE(its.server.isListening());
        CHECK_FALSE(other.isListening());
        CHECK(its.drain.connections() == 0);
        CHECK(its.finished.wait(patience()));
        for (const Pointer<TcpSocket>& each : its.sockets)
            CHECK((!each || each->state() == SocketState::Unconnected));
    }
}

TEST_CASE("a connection that is never made is not waited for") {
    TcpServer nobody;
    REQUIRE(nobody.listen(HostAddress::LocalHost));
    const std::uint16_t port = nobody.serverPort();
    nobody.close();
    TcpSocket fails;
    TcpSocket idle;
    Drain drain;
    SignalSpy<> finished(drain.finished);
    drain.add(idle);
    drain.add(fails);
    fails.connectToHost(HostAddress::LocalHost, port);
    drain.start();
    CHECK(drain.connections() == 1);
    CHECK(finished.wait(patience()));
    CHECK(fails.error() == SocketError::ConnectionRefused);
}
