// How many connections may be open, in all and of one peer.
#include "many_clients.h"

#include <halyard/core/thread.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/local_server.h>
#include <halyard/net/pooled_server.h>
#include <halyard/net/proxy_protocol_server.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/net/worker_pool.h>

#include <doctest/doctest.h>
#include <from_address.h>
#include <logged.h>
#include <plain_socket.h>
#include <pump.h>
#include <pump_peer.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<ConnectionLimits> && !std::is_move_constructible_v<ConnectionLimits>);
static_assert(!std::is_copy_constructible_v<ConnectionPermit> &&
              std::is_nothrow_move_constructible_v<ConnectionPermit>);

namespace {

/// A server that echoes, within limits.
struct Limited {
    explicit Limited(std::size_t connections, std::size_t ofOnePeer = 0)
        : limits(std::make_shared<ConnectionLimits>(connections, ofOnePeer)) {
        serve(server);
    }

    void serve(TcpServer& which) {
        which.setLimits(limits);
        which.newConnection.connect([this, &which] {
            while (TcpSocket* const client = which.nextPendingConnection()) {
                ++served;
                client->readyRead.connect(client, [client] { client->write(client->readAll()); });
                client->disconnected.connect(client, &Object::deleteLater);
            }
        });
        which.clientRefused.connect([this](const Endpoint& peer, const std::string&) { refused.push_back(peer); });
        REQUIRE(which.listen(HostAddress::LocalHost));
    }

    Logged logged;
    std::shared_ptr<ConnectionLimits> limits;
    TcpServer server;
    int served = 0;
    std::vector<Endpoint> refused;
};

bool answers(const PlainSocket& client) {
    client.send("?");
    return pumpPeer(client, 1) == "?";
}

} // namespace

TEST_CASE("where as many are open as may be, further clients wait in the backlog, and come in turn when others go") {
    Limited it(3);
    auto first = clients(it.server, 3);
    REQUIRE(pumpUntil([&] { return it.served == 3; }));
    auto later = clients(it.server, 2);
    later[0].send("first");
    pumpIdle();
    CHECK(it.served == 3);
    CHECK(it.limits->connections() == 3);
    CHECK(it.server.acceptState() == AcceptState::Full);
    CHECK(later[0].receiveNow().empty());

    first[1].close();
    REQUIRE(pumpUntil([&] { return it.served == 4; }));
    CHECK(pumpPeer(later[0], 5) == "first");
    CHECK(it.server.acceptState() == AcceptState::Full);
    first[0].reset();
    CHECK(pumpUntil([&] { return it.served == 5; }));
    CHECK(answers(later[1]));
    CHECK(it.refused.empty());
    CHECK(it.logged.lines().empty());
}

TEST_CASE("who raises the limit, or takes it away, lets in who waits") {
    Limited it(1);
    const auto all = clients(it.server, 4);
    REQUIRE(pumpUntil([&] { return it.served == 1; }));
    it.limits->setMaxConnections(2);
    CHECK(pumpUntil([&] { return it.served == 2; }));
    pumpIdle();
    CHECK(it.served == 2);
    SUBCASE("in the limits") { it.limits->setMaxConnections(0); }
    SUBCASE("in the server") { it.server.setLimits(nullptr); }
    CHECK(pumpUntil([&] { return it.served == 4; }));
}

TEST_CASE("limits may be asked for, and changed: what one peer may have is for its next client") {
    Limited it(7, 1);
    CHECK(it.limits->maxConnections() == 7);
    CHECK(it.limits->maxConnectionsOfOnePeer() == 1);
    const auto mine = clients(it.server, 2);
    CHECK(pumpReset(mine[1]));
    it.limits->setMaxConnectionsOfOnePeer(2);
    CHECK(it.limits->maxConnectionsOfOnePeer() == 2);
    CHECK(answers(clients(it.server, 1)[0]));
    CHECK(answers(mine[0]));
}

TEST_CASE("a peer that has all of its connections is reset, and those behind it are served") {
    Limited it(0, 2);
    auto mine = clients(it.server, 2);
    REQUIRE(pumpUntil([&] { return it.served == 2; }));
    const PlainSocket third = connectedFrom(1, it.server.serverPort());
    const PlainSocket other = connectedFrom(2, it.server.serverPort());
    CHECK(pumpReset(third));
    CHECK(answers(other));
    CHECK(it.served == 3);
    REQUIRE(it.refused.size() == 1);
    CHECK(it.refused[0].address == HostAddress::LocalHost);
    CHECK(it.limits->refusedConnections() == 1);
    CHECK(it.limits->connections() == 3);
    CHECK(it.limits->connectionsOfPeer(HostAddress::LocalHost) == 2);
    CHECK(it.logged.linesWith("is turned away: its network has as many connections as one may have") == 1);

    mine[0].close();
    REQUIRE(pumpUntil([&] { return it.limits->connectionsOfPeer(HostAddress::LocalHost) == 1; }));
    CHECK(answers(connectedFrom(1, it.server.serverPort())));
}

TEST_CASE("a thousand refusals are one line in the log, and cost nobody else anything") {
    Limited it(0, 1);
    const auto mine = clients(it.server, 1);
    REQUIRE(pumpUntil([&] { return it.served == 1; }));
    for (int i = 0; i != 10; ++i) {
        const auto flood = clients(it.server, 100);
        REQUIRE(
            pumpUntil([&] { return it.limits->refusedConnections() == (static_cast<std::uint64_t>(i) + 1) * 100; }));
    }
    CHECK(it.refused.size() == 1000);
    CHECK(it.logged.lines().size() == 1);
    CHECK(answers(mine[0]));
    CHECK(answers(connectedFrom(7, it.server.serverPort())));
    CHECK(it.limits->connectionsOfPeer(HostAddress(0x7f000009)) == 0);
}

TEST_CASE("a peer is an address of IPv4, mapped or not, and a /64 of IPv6, unless other prefixes are set") {
    ConnectionLimits limits;
    const auto peerOf = [&](const char* text) { return limits.peerOf(HostAddress(text)).toString(); };
    CHECK(peerOf("192.0.2.77") == "192.0.2.77");
    CHECK(peerOf("::ffff:192.0.2.77") == "192.0.2.77");
    CHECK(peerOf("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::");
    CHECK(peerOf("::1") == "::");
    CHECK(limits.peerOf(HostAddress("fe80::1%7")) != limits.peerOf(HostAddress("fe80::1%8")));
    limits.setPeerPrefixes(24, 50);
    CHECK(peerOf("192.0.2.77") == "192.0.2.0");
    CHECK(peerOf("::ffff:192.0.2.77") == "192.0.2.0");
    CHECK(peerOf("2001:db8:1:f002:3::") == "2001:db8:1:c000::");
    limits.setPeerPrefixes(0, 0);
    CHECK(peerOf("192.0.2.77") == "0.0.0.0");
    CHECK(peerOf("2001:db8::1") == "::");
    limits.setPeerPrefixes(1000, 1000);
    CHECK(peerOf("192.0.2.77") == "192.0.2.77");
    CHECK(peerOf("2001:db8::1") == "2001:db8::1");
}

TEST_CASE("IPv4 and IPv6 listeners share a peer's count, as a dual-stack one has it") {
    Limited it(0, 1);
    TcpServer both;
    both.setLimits(it.limits);
    int served = 0;
    both.newConnection.connect([&] { ++served; });
    REQUIRE(both.listen(HostAddress::Any)); // to which IPv4 comes in its mapped form
    const auto mine = clients(it.server, 1);
    REQUIRE(pumpUntil([&] { return it.served == 1; }));
    CHECK(pumpReset(PlainSocket::connectedTo(both.serverPort())));
    CHECK(served == 0);
    const PlainSocket other = connectedFrom(2, both.serverPort());
    CHECK(pumpUntil([&] { return served == 1; }));
}

TEST_CASE("several servers share their limits, and each goes on when a connection of another has ended") {
    Limited it(2);
    TcpServer second;
    it.serve(second);
    auto first = clients(it.server, 1);
    const auto others = clients(second, 2);
    REQUIRE(pumpUntil([&] { return it.served == 2; }));
    pumpIdle();
    CHECK(it.served == 2);
    first[0].close();
    CHECK(pumpUntil([&] { return it.served == 3; }));
    CHECK(answers(others[1]));
}

TEST_CASE("servers on several threads share their limits, and each is told of the room that another makes") {
    constexpr int threads = 3;
    constexpr std::size_t most = 5;
    const auto limits = std::make_shared<ConnectionLimits>(most);
    std::atomic<std::size_t> peak = 0;
    std::atomic<int> served = 0;
    std::vector<std::unique_ptr<Thread>> all;
    std::vector<std::uint16_t> ports;
    for (int i = 0; i != threads; ++i) {
        auto* const server = new TcpServer;
        server->setLimits(limits);
        server->newConnection.connect([&, server] {
            while (TcpSocket* const client = server->nextPendingConnection()) {
                const std::size_t now = limits->connections();
                for (std::size_t before = peak; before < now && !peak.compare_exchange_weak(before, now);) {
                }
                client->disconnected.connect(client, &Object::deleteLater);
                client->readyRead.connect(client, [client, &served] {
                    client->write(client->readAll());
                    ++served;
                });
            }
        });
        REQUIRE(server->listen(HostAddress::LocalHost));
        ports.push_back(server->serverPort());
        Thread& thread = *all.emplace_back(std::make_unique<Thread>());
        thread.finished.connect(
            server, [server] { delete server; }, ConnectionType::Direct);
        REQUIRE(thread.start());
        REQUIRE(server->moveToThread(&thread));
    }
    constexpr int visits = 120;
    for (int i = 0; i != visits; ++i) {
        const PlainSocket client = PlainSocket::connectedTo(ports[static_cast<std::size_t>(i % threads)]);
        std::vector<PlainSocket> crowd;
        for (const std::uint16_t port : ports)
            crowd.push_back(PlainSocket::connectedTo(port));
        client.send("x");
        CHECK(client.receive(1) == "x");
    }
    CHECK(served == visits);
    for (const auto& each : all) {
        each->quit();
        CHECK(each->wait());
    }
    CHECK(peak <= most);
    CHECK(limits->connections() == 0);
}

TEST_CASE("connections of a pool count, whose end comes from its threads") {
    Logged logged;
    WorkerPool pool(2);
    std::atomic<int> served = 0;
    PooledServer server(pool, [&](TcpSocket* client) {
        ++served;
        client->readyRead.connect(client, [client] { client->write(client->readAll()); });
        client->disconnected.connect(client, &Object::deleteLater);
    });
    const auto limits = std::make_shared<ConnectionLimits>(3, 2);
    server.setLimits(limits);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto got = [&](int count) { return pumpUntilElsewhere([&, count] { return served == count; }); };
    auto mine = clients(server, 2);
    REQUIRE(got(2));
    CHECK(pumpReset(PlainSocket::connectedTo(server.serverPort())));
    const PlainSocket other = connectedFrom(2, server.serverPort());
    REQUIRE(got(3));
    CHECK(limits->connections() == 3);
    const PlainSocket waits = connectedFrom(3, server.serverPort());
    pumpIdle();
    CHECK(served == 3);
    mine[0].close();
    CHECK(got(4));
    CHECK(answers(waits));
    CHECK(logged.linesWith("is turned away") == 1);

    // One that is gone before its worker has it does not stay either.
    mine[1].close();
    REQUIRE(pumpUntilElsewhere([&] { return limits->connections() == 2; }));
    PlainSocket gone = PlainSocket::connectedTo(server.serverPort());
    gone.reset();
    CHECK(pumpUntilElsewhere([&] { return limits->connections() == 2; }));
}

TEST_CASE("a connection counts while a deleted socket delivers the rest, and not once its descriptor is given away") {
    const auto limits = std::make_shared<ConnectionLimits>(1);
    TcpServer server;
    server.setLimits(limits);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
    TcpSocket* const socket = server.nextPendingConnection();
    CHECK(limits->connections() == 1);
    SUBCASE("deleted with much to send") {
        const std::string much(16 * 1024 * 1024, 'x');
        socket->write(much);
        pumpIdle();
        delete socket;
        CHECK(limits->connections() == 1);
        CHECK(pumpPeer(client).size() == much.size());
        CHECK(pumpUntil([&] { return limits->connections() == 0; }));
    }
    SUBCASE("given away") {
        PlainSocket heir(socket->releaseDescriptor());
        CHECK(limits->connections() == 0);
    }
    SUBCASE("closed, and kept") {
        socket->close();
        CHECK(limits->connections() == 0);
    }
    SUBCASE("aborted, and connected anew") {
        socket->abort();
        CHECK(limits->connections() == 0);
        socket->connectToHost(HostAddress::LocalHost, server.serverPort());
        CHECK(pumpUntil([&] { return server.hasPendingConnections(); }));
        CHECK(limits->connections() == 1);
    }
    SUBCASE("deleted with its server") {
        server.close();
        delete socket;
        CHECK(limits->connections() == 0);
    }
    SUBCASE("moved to another thread, and deleted there") {
        Thread thread;
        REQUIRE(thread.start());
        socket->setParent(nullptr);
        REQUIRE(socket->moveToThread(&thread));
        CHECK(limits->connections() == 1);
        socket->deleteLater();
        CHECK(pumpUntilElsewhere([&] { return limits->connections() == 0; }));
        thread.quit();
        thread.wait();
    }
}

TEST_CASE("a class of one's own counts what it queues, what it hands to a pool with the permit, and nothing else") {
    enum class Does { Queues, HandsOver, HandsOverWithPermit, Drops };
    class Own : public TcpServer {
      public:
        explicit Own(Does does) : does_(does) {}
        WorkerPool pool{1};

      private:
        void incomingConnection(int descriptor) override {
            if (does_ == Does::Queues) {
                auto* const socket = new TcpSocket(this);
                socket->setSocketDescriptor(descriptor);
                socket->write("hello"); // which nobody has asked for
                addPendingConnection(socket);
            } else if (does_ == Does::Drops) {
                ::close(descriptor);
            } else {
                pool.serve(
                    descriptor, [](TcpSocket*) {}, does_ == Does::HandsOver ? ConnectionPermit() : takePermit());
            }
        }
        const Does does_;
    };
    for (const auto& [does, count] : {std::pair{Does::Queues, 2U}, std::pair{Does::HandsOver, 0U},
                                      std::pair{Does::HandsOverWithPermit, 2U}, std::pair{Does::Drops, 0U}}) {
        Own server(does);
        int came = 0;
        const auto limits = std::make_shared<ConnectionLimits>(10);
        server.setLimits(limits);
        server.newConnection.connect([&came] { ++came; });
        REQUIRE(server.listen(HostAddress::LocalHost));
        const auto both = clients(server, 2);
        REQUIRE(pumpUntil([&came] { return came == 2; }));
        CHECK(limits->connections() == count);
        if (does == Does::Queues)
            CHECK(pumpPeer(both.front(), 5) == "hello");
    }
}

TEST_CASE("a client that resets before a class of one's own makes its socket is queued, and counts no more") {
    class Own : public TcpServer {
        void incomingConnection(int descriptor) override {
            auto* const socket = new TcpSocket(this);
            if (!socket->setSocketDescriptor(descriptor))
                ::close(descriptor);
            addPendingConnection(socket);
        }
    };
    Own server;
    const auto limits = std::make_shared<ConnectionLimits>(1);
    server.setLimits(limits);
    int came = 0;
    server.newConnection.connect([&came] { ++came; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    PlainSocket::connectedTo(server.serverPort()).reset();
    REQUIRE(pumpUntil([&came] { return came == 1; }));
    CHECK(limits->connections() == 0);
    REQUIRE(server.hasPendingConnections());
    CHECK(server.nextPendingConnection()->state() == SocketState::Unconnected);
    const PlainSocket next = PlainSocket::connectedTo(server.serverPort());
    CHECK(pumpUntil([&came] { return came == 2; }));
    CHECK(limits->connections() == 1);
}

TEST_CASE("behind a balancer the peer is who the header names, and who owes it counts already") {
    Logged logged;
    ProxyProtocolServer server;
    server.trust(HostAddress::LocalHost, 32);
    const auto limits = std::make_shared<ConnectionLimits>(3, 1);
    server.setLimits(limits);
    std::vector<std::string> refused;
    server.clientRefused.connect([&](const Endpoint& peer, const std::string&) { refused.push_back(peer.toString()); });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto balanced = clients(server, 3);
    REQUIRE(pumpUntil([&] { return limits->connections() == 3; }));
    PlainSocket fourth = PlainSocket::connectedTo(server.serverPort());
    pumpIdle();
    CHECK(limits->connections() == 3);
    CHECK(server.acceptState() == AcceptState::Full);
    for (const PlainSocket& each : balanced) // two of one, and one of another
        each.send(&each == &balanced[2] ? "PROXY TCP4 192.0.2.2 192.0.2.9 77 80\r\n"
                                        : "PROXY TCP4 192.0.2.1 192.0.2.9 77 80\r\n");
    CHECK(pumpUntil([&] { return refused.size() == 1; }));
    CHECK(refused == std::vector<std::string>{"192.0.2.1:77"});
    CHECK(limits->connectionsOfPeer(HostAddress("192.0.2.1")) == 1);
    CHECK(limits->connectionsOfPeer(HostAddress("192.0.2.2")) == 1);
    CHECK(limits->connectionsOfPeer(HostAddress::LocalHost) == 0);
    CHECK(pumpUntil([&] { return limits->connections() == 3; })); // the fourth has come
    fourth.close();
    CHECK(pumpUntil([&] { return limits->connections() == 2; }));
}

TEST_CASE("a local server counts in all, and has no peers") {
    const auto limits = std::make_shared<ConnectionLimits>(2, 1);
    LocalServer server;
    server.setLimits(limits);
    server.setMaxPendingConnections(10);
    REQUIRE(server.listen("@halyard-limits-" + std::to_string(::getpid())));
    std::vector<std::unique_ptr<LocalSocket>> all;
    for (int i = 0; i != 3; ++i)
        all.emplace_back(std::make_unique<LocalSocket>())->connectToServer(server.serverName());
    REQUIRE(pumpUntil([&] { return limits->connections() == 2; }));
    pumpIdle();
    CHECK(server.acceptState() == AcceptState::Full);
    delete server.nextPendingConnection();
    CHECK(pumpUntil([&] { return limits->connections() == 2; }));
}

TEST_CASE("a wait with as many connections as may be lasts its time, and sees when another thread has ended one") {
    const auto limits = std::make_shared<ConnectionLimits>(1);
    WorkerPool pool(1);
    PooledServer holder(pool,
                        [](TcpSocket* client) { client->readyRead.connect(client, [client] { delete client; }); });
    holder.setLimits(limits);
    REQUIRE(holder.listen(HostAddress::LocalHost));
    const PlainSocket held = PlainSocket::connectedTo(holder.serverPort());
    REQUIRE(pumpUntilElsewhere([&] { return limits->connections() == 1; }));
    TcpServer server;
    server.setLimits(limits);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    bool timedOut = false;
    CHECK_FALSE(server.waitForNewConnection(30, &timedOut));
    CHECK(timedOut);
    held.send("go");
    CHECK(server.waitForNewConnection(static_cast<int>(patience().count()), &timedOut));
    CHECK_FALSE(timedOut);
}

TEST_CASE("a server may die, close, move and get other limits while it waits for room") {
    Limited it(1);
    auto first = clients(it.server, 1);
    REQUIRE(pumpUntil([&] { return it.served == 1; }));
    auto second = std::make_unique<TcpServer>();
    it.serve(*second);
    const auto waiting = clients(*second, 1);
    pumpIdle();
    SUBCASE("die") { second.reset(); }
    SUBCASE("die when it was told") {
        first[0].close();
        REQUIRE(pumpUntil([&] { return it.limits->connections() == 0 || it.served == 2; }));
        second.reset();
    }
    SUBCASE("close, and listen anew") {
        second->close();
        REQUIRE(second->listen(HostAddress::LocalHost));
        const auto anew = clients(*second, 1);
        first[0].close();
        CHECK(pumpUntil([&] { return it.served == 2; }));
    }
    SUBCASE("get others") {
        second->setLimits(std::make_shared<ConnectionLimits>(5));
        CHECK(pumpUntil([&] { return it.served == 2; }));
    }
    SUBCASE("move") {
        Thread thread;
        REQUIRE(thread.start());
        std::atomic<bool> came = false;
        second->newConnection.disconnectAll();
        second->newConnection.connect(second.get(), [&came] { came = true; });
        REQUIRE(second->moveToThread(&thread));
        first[0].close();
        CHECK(pumpUntilElsewhere([&] { return came.load(); }));
        thread.finished.connect([&second] { second.reset(); });
        thread.quit();
        CHECK(thread.wait());
    }
    first.clear();
    pumpIdle();
}

TEST_CASE("anything may be done in the slot that tells of a refusal") {
    Limited it(0, 1);
    auto server = std::make_unique<TcpServer>();
    server->setLimits(it.limits);
    REQUIRE(server->listen(HostAddress::LocalHost));
    const auto mine = clients(it.server, 1);
    REQUIRE(pumpUntil([&] { return it.served == 1; }));
    int told = 0;
    const auto does = [&](auto what) {
        server->clientRefused.connect([&told, what](const Endpoint&, const std::string&) {
            ++told;
            what();
        });
    };
    SUBCASE("delete") {
        does([&] { server.reset(); });
    }
    SUBCASE("close") {
        does([&] { server->close(); });
    }
    SUBCASE("wait") {
        does([&] { server->waitForNewConnection(0); });
    }
    SUBCASE("take the limits away") {
        does([&] { server->setLimits(nullptr); });
    }
    SUBCASE("throw") {
        does([] { throw 7; });
    }
    const auto others = clients(*server, 3);
    const auto pump = [&] {
        try {
            return pumpUntil([&] { return told != 0; });
        } catch (int) {
            return true;
        }
    };
    CHECK(pump());
    try {
        pumpIdle();
    } catch (int) {
    }
    CHECK(told >= 1);
}
