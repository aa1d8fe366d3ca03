// The rows of what a wait for a client answers, and what it does meanwhile.
#include "many_clients.h"
#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>
#include <signal_storm.h>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// A wait and all that it says.
struct Waited {
    Waited(TcpServer& server, int msec) { is = server.waitForNewConnection(msec, &timedOut); }

    bool is = false;
    bool timedOut = true; ///< until the wait writes it
};

/// What waits answer: a client, nobody in time, or nobody and no sense in waiting on.
constexpr auto came = [](const Waited& waited) { return waited.is && !waited.timedOut; };
constexpr auto timeIsOver = [](const Waited& waited) { return !waited.is && waited.timedOut; };
constexpr auto nobody = [](const Waited& waited) { return !waited.is && !waited.timedOut; };

struct Listening : TcpServer {
    Listening() {
        newConnection.connect([this] { ++announced; });
        REQUIRE(listen(HostAddress::LocalHost));
    }
    int announced = 0;
};

} // namespace

// --- the answers ---

TEST_CASE("waiting on a server that does not listen is false, not timed out, and no error") {
    TcpServer server;
    CHECK(nobody(Waited(server, 10)));
    CHECK(nobody(Waited(server, -1)));
    CHECK(server.serverError() == SocketError::None);
    REQUIRE(server.listen(HostAddress::LocalHost));
    server.close();
    CHECK(nobody(Waited(server, -1)));
}

TEST_CASE("waiting for no time looks once") {
    Listening server;
    const auto start = std::chrono::steady_clock::now();
    CHECK(timeIsOver(Waited(server, 0)));
    CHECK(std::chrono::steady_clock::now() - start < patience(1s));
    CHECK(server.serverError() == SocketError::SocketTimeout);
    CHECK_FALSE(server.waitForNewConnection());
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    CHECK(came(Waited(server, 0)));
    CHECK(server.serverError() == SocketError::None);
    CHECK(server.errorString().empty());
}

TEST_CASE("a wait lasts as long as it was told, and says which error that is and where") {
    Listening server;
    const auto start = std::chrono::steady_clock::now();
    CHECK(timeIsOver(Waited(server, 60)));
    CHECK(std::chrono::steady_clock::now() - start >= 60ms);
    CHECK(server.serverError() == SocketError::SocketTimeout);
    CHECK(server.errorString() == "no client came to 127.0.0.1:" + std::to_string(server.serverPort()) + " in time");
    CHECK(server.isListening());
}

TEST_CASE("a storm of signals does not change how long a wait lasts") {
    Listening server;
    const SignalStorm storm(5ms);
    const auto start = std::chrono::steady_clock::now();
    CHECK(timeIsOver(Waited(server, 200)));
    const auto lasted = std::chrono::steady_clock::now() - start;
    CHECK(lasted >= 200ms);
    CHECK(lasted < 200ms + patience(2s));
    CHECK(SignalStorm::ticks > 5);
}

TEST_CASE("any negative time waits for ever, and the longest one does not overflow, under a storm of signals too") {
    for (const int msec : {-1, -5, INT_MIN, INT_MAX}) {
        Listening server;
        const SignalStorm storm(5ms, server.serverPort());
        CHECK(came(Waited(server, msec)));
        CHECK(SignalStorm::ticks >= 5);
        CHECK(server.announced == 1);
    }
}

TEST_CASE("what is pending already is there at once, and nothing more is accepted for it") {
    Listening server;
    const auto first = clients(server, 1);
    REQUIRE(came(Waited(server, 5000)));
    const auto second = clients(server, 1);
    for (const int msec : {-1, 0, 5000})
        CHECK(came(Waited(server, msec)));
    CHECK(server.announced == 1);
}

TEST_CASE("a full queue is an answer at once, whoever waits behind it") {
    Listening server;
    server.setMaxPendingConnections(2);
    const auto all = clients(server, 4);
    REQUIRE(came(Waited(server, 5000)));
    CHECK(server.announced == 2);
    CHECK(came(Waited(server, -1)));
    CHECK(server.announced == 2);
    CHECK(server.nextPendingConnection() != nullptr);
    CHECK(server.nextPendingConnection() != nullptr);
    REQUIRE(came(Waited(server, 5000)));
    CHECK(server.announced == 4);
}

TEST_CASE("where the limit allows nobody there is no sense in waiting") {
    for (const int limit : {0, -1, INT_MIN}) {
        Listening server;
        server.setMaxPendingConnections(limit);
        CHECK(server.maxPendingConnections() == limit);
        const auto all = clients(server, 1);
        CHECK(nobody(Waited(server, -1)));
        CHECK(server.announced == 0);
        server.setMaxPendingConnections(INT_MAX);
        CHECK(came(Waited(server, -1)));
    }
}

TEST_CASE("clients that are turned away do not end a wait, and cannot keep it from ending in time") {
    Listening server;
    server.setLimits(std::make_shared<ConnectionLimits>(100, 1));
    const PlainSocket only = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(came(Waited(server, 5000)));
    REQUIRE(server.nextPendingConnection() != nullptr);
    const PlainSocket refused = PlainSocket::connectedTo(server.serverPort());
    CHECK(timeIsOver(Waited(server, 0)));
    CHECK(server.limits()->refusedConnections() == 1);

    std::atomic<bool> ends = false;
    std::thread others([&, port = server.serverPort()] {
        while (!ends) {
            try {
                PlainSocket::connectedTo(port).reset();
            } catch (const std::runtime_error&) { // turned away before connect(2) had returned
            }
        }
    });
    CHECK(timeIsOver(Waited(server, 50)));
    ends = true;
    others.join();
    CHECK(server.announced == 1);
}

TEST_CASE("a wait ends when slots took what came, closed the server or deleted it: false, and not timed out") {
    using Slot = void (*)(TcpServer * &server);
    for (const Slot slot : {
             Slot([](TcpServer*& server) { delete server->nextPendingConnection(); }),
             Slot([](TcpServer*& server) { delete server->children().front(); }),
             Slot([](TcpServer*& server) { server->close(); }),
             Slot([](TcpServer*& server) { delete std::exchange(server, nullptr); }),
             Slot([](TcpServer*& server) {
                 server->close();
                 CHECK(server->listen(HostAddress::LocalHost));
             }),
         }) {
        auto* server = new TcpServer;
        REQUIRE(server->listen(HostAddress::LocalHost));
        server->newConnection.connect([&] { slot(server); });
        const auto all = clients(*server, 1);
        CHECK(nobody(Waited(*server, -1)));
        delete server;
    }
}

TEST_CASE("a wait accepts while the user has paused, and the pause goes on") {
    Listening server;
    server.pauseAccepting();
    const auto first = clients(server, 1);
    CHECK(came(Waited(server, 5000)));
    CHECK(server.acceptState() == AcceptState::PausedByUser);
    const auto second = clients(server, 1);
    pumpIdle();
    CHECK(server.announced == 1);
}

TEST_CASE("a listener that is broken ends a wait, with the reason") {
    Listening server;
    int errors = 0;
    server.acceptError.connect([&](SocketError) { ++errors; });
    ::shutdown(server.socketDescriptor(), SHUT_RDWR);
    CHECK(nobody(Waited(server, -1)));
    CHECK(errors == 1);
    CHECK(server.serverError() == SocketError::UnsupportedSocketOperation);
    CHECK(server.errorString().ends_with("Invalid argument"));
    CHECK(server.acceptState() == AcceptState::PausedByError);
}

// --- what runs meanwhile ---

TEST_CASE("a wait runs direct slots of the server and nothing else of the application") {
    Listening server;
    TcpPair others;
    int elsewhere = 0;
    int queued = 0;
    Timer timer;
    timer.timeout.connect([&] { ++elsewhere; });
    timer.start(1ms);
    others.near->readyRead.connect([&] { ++elsewhere; });
    others.far->write("for somebody else");
    EventLoop::current()->post([&] { ++elsewhere; });
    server.newConnection.connect(
        &server, [&] { ++queued; }, ConnectionType::Queued);
    CHECK(timeIsOver(Waited(server, 50)));
    const auto all = clients(server, 1);
    CHECK(came(Waited(server, 5000)));
    CHECK(server.announced == 1);
    CHECK(queued == 0);
    CHECK(elsewhere == 0);
    CHECK(pumpUntil([&] { return queued == 1 && elsewhere >= 3; }));
}

TEST_CASE("a wait in a slot of newConnection, of the same server and of another") {
    Listening outer;
    Listening inner;
    const auto toInner = clients(inner, 1);
    bool same = false;
    bool other = false;
    bool nobodyElse = false;
    outer.newConnection.connect([&] {
        same = came(Waited(outer, 5000));
        outer.nextPendingConnection();
        nobodyElse = timeIsOver(Waited(outer, 0));
        other = came(Waited(inner, 5000));
    });
    const auto toOuter = clients(outer, 1);
    CHECK(pumpUntil([&] { return same && nobodyElse && other; }));
    CHECK(outer.announced == 1);
    CHECK(inner.announced == 1);
}

TEST_CASE("a wait in a slot of newConnection takes the next client, within the outer wait") {
    Listening server;
    int inner = 0;
    server.newConnection.connect([&] {
        delete server.nextPendingConnection();
        if (server.announced < 3)
            inner += nobody(Waited(server, 5000)) ? 1 : 0; // its client is taken by this slot again
    });
    const auto all = clients(server, 3);
    CHECK(nobody(Waited(server, 5000)));
    CHECK(inner == 2);
    CHECK(server.announced == 3);
}

TEST_CASE("servers work in plain threads that run no loop, each for itself") {
    std::vector<std::thread> threads;
    std::atomic<int> served = 0;
    for (int i = 0; i != 4; ++i)
        threads.emplace_back([&] {
            TcpServer server;
            if (!server.listen(HostAddress::LocalHost))
                return;
            for (int round = 0; round != 20; ++round) {
                const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
                client.send("from the thread");
                if (!server.waitForNewConnection(-1))
                    return;
                TcpSocket* const socket = server.nextPendingConnection();
                served += socket->livesHere() && socket->waitForReadyRead(-1) && socket->readAll() == "from the thread";
                delete socket;
            }
        });
    for (std::thread& each : threads)
        each.join();
    CHECK(served == 80);
}

TEST_CASE("a wait on a foreign thread is refused with a logged sentence") {
    Listening server;
    const auto all = clients(server, 1);
    Logged log;
    bool fine = false;
    std::thread([&] { fine = nobody(Waited(server, -1)); }).join();
    CHECK(fine);
    CHECK(log.linesWith("waitForNewConnection() of a server: the object lives on another thread") == 1);
    CHECK(came(Waited(server, 5000)));
}
