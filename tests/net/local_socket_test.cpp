#include "plain_local.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/thread.h>
#include <halyard/net/local_server.h>
#include <halyard/net/local_socket.h>

#include <logged.h>
#include <pump.h>
#include <scratch_directory.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<LocalSocket> && !std::is_move_constructible_v<LocalSocket>);

namespace {

/// A listener that nobody accepts from, and whose backlog is full.
struct FullListener {
    explicit FullListener(const std::string& path) : listener(listeningAt(path, 0)) {
        fillers.push_back(connectedTo(path)); // the kernel takes one more than the backlog says
    }
    void accept() { accepted.push_back(listener.accept()); }

    PlainSocket listener;
    std::vector<PlainSocket> fillers;
    std::vector<PlainSocket> accepted;
};

} // namespace

TEST_CASE("a local connection goes through the states of every connection") {
    const ScratchDirectory scratch;
    LocalServer server;
    REQUIRE(server.listen(scratch.file("server")));
    LocalSocket socket;
    std::string order;
    socket.stateChanged.connect([&](SocketState state) { order += std::string(nameOf(state)) + ' '; });
    socket.connected.connect([&] { order += "connected "; });
    socket.readyRead.connect([&] { order += "readyRead "; });
    socket.errorOccurred.connect([&](SocketError error) { order += std::string(nameOf(error)) + ' '; });
    socket.readChannelFinished.connect([&] { order += "finished "; });
    socket.disconnected.connect([&] { order += "disconnected"; });
    socket.connectToServer(server.serverName());
    CHECK(order == "Connecting ");
    CHECK(socket.serverName() == server.serverName());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected && server.hasPendingConnections(); }));
    LocalSocket* const peer = server.nextPendingConnection();
    peer->write("bye");
    peer->disconnectFromHost();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(order ==
          "Connecting Connected connected readyRead RemoteHostClosed Closing Unconnected finished disconnected");
    CHECK(socket.readAll() == "bye");
    CHECK(socket.errorString() == server.serverName() + " closed the connection");
}

TEST_CASE("a local conversation by waits alone, in a thread without a loop") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    bool fine = false;
    std::thread([&] {
        LocalServer server;
        LocalSocket socket;
        fine = server.listen(path);
        socket.connectToServer(path);
        fine = fine && socket.waitForConnected(5000) && server.waitForNewConnection(5000);
        LocalSocket* const peer = server.nextPendingConnection();
        fine = fine && socket.write("ping") == 4 && peer->waitForReadyRead(5000) && peer->readAll() == "ping";
        peer->disconnectFromHost();
        fine = fine && socket.waitForDisconnected(5000);
    }).join();
    CHECK(fine);
}

TEST_CASE("each end knows who made the other one") {
    const ScratchDirectory scratch;
    LocalServer server;
    REQUIRE(server.listen(scratch.file("server")));
    LocalSocket socket;
    CHECK_FALSE(socket.peerCredentials().has_value());
    socket.connectToServer(server.serverName());
    REQUIRE(socket.waitForConnected(5000));
    REQUIRE(server.waitForNewConnection(5000));
    LocalSocket* const peer = server.nextPendingConnection();
    for (const LocalSocket* const each : {&socket, peer}) {
        REQUIRE(each->peerCredentials().has_value());
        CHECK(each->peerCredentials()->process == ::getpid());
        CHECK(each->peerCredentials()->user == ::geteuid());
        CHECK(each->peerCredentials()->group == ::getegid());
    }
    socket.abort();
    CHECK_FALSE(socket.peerCredentials().has_value());
}

TEST_CASE("a name that nothing has is not found, one that nobody listens at refuses, with a sentence") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    LocalSocket socket;
    int errors = 0;
    socket.errorOccurred.connect([&](SocketError) { ++errors; });
    socket.connectToServer(path);
    CHECK(errors == 0); // the loop tells
    REQUIRE(pumpUntil([&] { return errors == 1; }));
    CHECK(socket.state() == SocketState::Unconnected);
    CHECK(socket.error() == SocketError::HostNotFound);
    CHECK(socket.errorString() == "cannot connect to " + path + ": No such file or directory");
    listeningAt(path).close();
    socket.connectToServer(path);
    CHECK_FALSE(socket.waitForConnected(5000));
    CHECK(socket.error() == SocketError::ConnectionRefused);
    CHECK(socket.errorString() == "cannot connect to " + path + ": Connection refused");
    const std::string datagrams = scratch.file("datagrams");
    const PlainSocket other = boundTo(datagrams, SOCK_DGRAM);
    socket.connectToServer(datagrams);
    CHECK_FALSE(socket.waitForConnected(5000));
    CHECK(socket.error() == SocketError::UnsupportedSocketOperation);
}

TEST_CASE("a local socket in use refuses to connect, and its connection goes on") {
    const ScratchDirectory scratch;
    LocalServer server;
    REQUIRE(server.listen(scratch.file("server")));
    LocalSocket socket;
    socket.connectToServer(server.serverName());
    REQUIRE(socket.waitForConnected(5000));
    Logged log;
    socket.connectToServer(scratch.file("other"));
    CHECK(log.linesWith("connectToServer() of a socket: it is in use already") == 1);
    CHECK(socket.error() == SocketError::Operation);
    CHECK(socket.state() == SocketState::Connected);
    CHECK(socket.serverName() == server.serverName());
}

TEST_CASE("while the server's backlog is full a local socket goes on trying, at rest, from the loop and in waits") {
    const ScratchDirectory scratch;
    for (const bool waits : {false, true}) {
        const std::string path = scratch.file(waits ? "waits" : "loops");
        FullListener full(path);
        LocalSocket socket;
        int errors = 0;
        socket.errorOccurred.connect([&](SocketError) { ++errors; });
        socket.connectToServer(path);
        int turns = 0;
        const auto end = std::chrono::steady_clock::now() + 200ms;
        while (std::chrono::steady_clock::now() < end) {
            EventLoop::current()->processEvents(50ms);
            ++turns;
        }
        CHECK(turns < 30);
        CHECK(socket.state() == SocketState::Connecting);
        full.accept();
        if (waits)
            CHECK(socket.waitForConnected(static_cast<int>(patience().count())));
        else
            CHECK(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
        CHECK(errors == 0);
        socket.write("at last");
        full.accept();
        CHECK(full.accepted.back().receive(7) == "at last");
    }
}

TEST_CASE("trying to connect to a full backlog ends with the wait, the connect timeout, abort and the socket") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    FullListener full(path);
    auto socket = std::make_unique<LocalSocket>();
    socket->connectToServer(path);
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(socket->waitForConnected(50));
    CHECK(std::chrono::steady_clock::now() - start >= 50ms);
    CHECK(socket->error() == SocketError::SocketTimeout);
    CHECK(socket->state() == SocketState::Unconnected);
    socket->setConnectTimeout(50ms);
    socket->connectToServer(path);
    CHECK(pumpUntil([&] { return socket->error() == SocketError::SocketTimeout; }));
    CHECK(socket->state() == SocketState::Unconnected);
    socket->connectToServer(path);
    socket->abort();
    CHECK(socket->state() == SocketState::Unconnected);
    socket->connectToServer(path);
    socket.reset();
    pumpIdle();
}

TEST_CASE("a local socket that is deleted while it tries to connect still delivers what it was given to write") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    FullListener full(path);
    auto socket = std::make_unique<LocalSocket>();
    socket->connectToServer(path);
    socket->write("last words");
    socket.reset();
    full.accept();
    ::fcntl(full.listener.descriptor(), F_SETFL, O_NONBLOCK);
    PlainSocket last;
    std::string got;
    bool ended = false;
    CHECK(pumpUntilElsewhere([&] {
        if (last.descriptor() < 0)
            last = full.listener.accept();
        if (last.descriptor() >= 0)
            got += last.receiveNow(&ended);
        return ended;
    }));
    CHECK(got == "last words");
}

TEST_CASE("a local socket that moves while it tries to connect connects on its new thread") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    FullListener full(path);
    Thread thread;
    thread.start();
    auto* const socket = new LocalSocket;
    std::atomic<bool> connected = false;
    socket->connected.connect([&] { // without a receiver: it runs wherever it is emitted
        connected = Thread::current() == &thread;
        socket->deleteLater();
    });
    socket->connectToServer(path);
    REQUIRE(socket->moveToThread(&thread));
    // It tries there too before there is room.
    std::atomic<int> turns = 0;
    for (int i = 1; i != 4; ++i) {
        thread.eventLoop()->post([&] { ++turns; });
        REQUIRE(pumpUntilElsewhere([&] { return turns == i; }));
    }
    full.accept();
    CHECK(pumpUntilElsewhere([&] { return connected.load(); }));
    thread.quit();
    thread.wait();
}

TEST_CASE("megabytes pass between local sockets both ways at once, and a file too, and nothing is lost at the end") {
    const ScratchDirectory scratch;
    LocalServer server;
    REQUIRE(server.listen(scratch.file("server")));
    LocalSocket socket;
    socket.connectToServer(server.serverName());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected && server.hasPendingConnections(); }));
    LocalSocket* const peer = server.nextPendingConnection();
    std::string there;
    std::string back;
    for (std::uint32_t i = 0; i != 3'000'000; ++i) {
        there += static_cast<char>((i * 2654435761U) >> 13U);
        back += static_cast<char>((i * 2246822519U) >> 11U);
    }
    const std::string path = scratch.file("file");
    std::FILE* const file = std::fopen(path.c_str(), "w+");
    REQUIRE(file != nullptr);
    REQUIRE(std::fwrite(back.data(), 1, back.size(), file) == back.size());
    std::fflush(file);
    std::string gotThere;
    std::string gotBack;
    peer->readyRead.connect([&] { gotThere += peer->readAll(); });
    socket.readyRead.connect([&] { gotBack += socket.readAll(); });
    socket.write(there);
    peer->write(back);
    CHECK(peer->sendFile(::fileno(file), 0, back.size()));
    std::fclose(file);
    REQUIRE(pumpUntil([&] { return gotThere.size() == there.size() && gotBack.size() == 2 * back.size(); }));
    CHECK(gotThere == there);
    CHECK(gotBack == back + back);
    socket.write("the end");
    socket.disconnectFromHost();
    REQUIRE(pumpUntil([&] { return peer->state() == SocketState::Unconnected; }));
    CHECK(gotThere.ends_with("the end"));
}

TEST_CASE("a local socket adopts a descriptor, and knows the name of the other end") {
    const ScratchDirectory scratch;
    const PlainSocket listener = listeningAt(scratch.file("server"));
    LocalSocket socket;
    REQUIRE(socket.setSocketDescriptor(connectedTo(scratch.file("server")).release()));
    CHECK(socket.serverName() == scratch.file("server"));
    CHECK(socket.peerCredentials().has_value());
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const PlainSocket end(ends[1]);
    LocalSocket half;
    REQUIRE(half.setSocketDescriptor(ends[0]));
    CHECK(half.serverName().empty());
    half.write("pair");
    CHECK(end.receive(4) == "pair");
}

TEST_CASE("of many that have much to say each is heard in part in a turn, and one that is alone as a whole") {
    constexpr std::size_t many = 128;
    constexpr std::size_t much = 100'000;
    constexpr std::size_t together = 16 * 256 * 1024;
    const std::string said(much, 's');
    std::vector<PlainSocket> talkers;
    std::vector<std::unique_ptr<LocalSocket>> hearers;
    std::size_t heard = 0;
    std::size_t most = 0;
    const auto add = [&] {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        talkers.emplace_back(ends[1]);
        LocalSocket& hearer = *hearers.emplace_back(std::make_unique<LocalSocket>());
        REQUIRE(hearer.setSocketDescriptor(ends[0]));
        hearer.readyRead.connect([&heard, &most, &hearer] {
            const std::size_t part = hearer.readAll().size();
            heard += part;
            most = std::max(most, part);
        });
    };
    add();
    pumpIdle();
    talkers.front().send(said);
    REQUIRE(pumpUntil([&] { return heard == much; }));
    CHECK(most == much);

    while (hearers.size() != many)
        add();
    pumpIdle();
    for (const PlainSocket& each : talkers)
        each.send(said);
    heard = 0;
    most = 0;
    EventLoop::current()->processEvents();
    CHECK(heard != 0);
    CHECK(most <= together / many);
    REQUIRE(pumpUntil([&] { return heard == many * much; }));
}
