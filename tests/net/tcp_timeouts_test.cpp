#include "socket_trace.h"
#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// A listener that does not answer: its backlog is full.
struct Silent {
    PlainSocket listener = PlainSocket::listening(0);
    std::vector<PlainSocket> fillers;

    Silent() {
        for (int i = 0; i != 4; ++i) {
            fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
            const sockaddr_in name = PlainSocket::loopback(listener.port());
            ::connect(fillers.back().descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
        }
    }
};

} // namespace

TEST_CASE("a connecting that takes too long fails like any other") {
    const Silent silent;
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.setConnectTimeout(30ms);
    const auto start = Clock::now();
    socket.connectToHost(HostAddress::LocalHost, silent.listener.port());
    REQUIRE(pumpUntil([&] { return socket.error() != SocketError::None; }));
    CHECK(Clock::now() - start >= 30ms);
    CHECK(trace.text() == "HostLookup Connecting hostFound Unconnected error(SocketTimeout while Unconnected)");
    CHECK(socket.errorString() ==
          "cannot connect to 127.0.0.1:" + std::to_string(silent.listener.port()) + ": Connection timed out");
    // A connection that stands is not touched by it.
    const PlainSocket listener = PlainSocket::listening();
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    const auto end = Clock::now() + 60ms;
    while (Clock::now() < end)
        EventLoop::current()->processEvents(5ms);
    CHECK(socket.state() == SocketState::Connected);
}

TEST_CASE("a silent peer is given up: a signal while connected, then a reset; unread bytes stay") {
    TcpPair pair;
    pair.far->write("all I have");
    REQUIRE(pumpUntil([&] { return pair.near->bytesAvailable() == 10; }));
    SocketTrace trace(*pair.near);
    pair.near->setReadTimeout(30ms);
    const auto start = Clock::now();
    REQUIRE(pumpUntil([&] { return pair.near->state() == SocketState::Unconnected; }));
    CHECK(Clock::now() - start >= 30ms);
    CHECK(trace.text() == "error(SocketTimeout while Connected) Unconnected readChannelFinished disconnected");
    CHECK(pair.near->errorString().ends_with(" was silent for too long"));
    CHECK(pair.near->readAll() == "all I have");
    REQUIRE(pumpUntil([&] { return pair.far->state() == SocketState::Unconnected; }));
    CHECK(pair.far->errorString().ends_with("Connection reset by peer"));
}

TEST_CASE("a peer that says something now and then is not silent, and one that is not listened to neither") {
    TcpPair pair;
    pair.near->setReadTimeout(80ms);
    Timer talk;
    talk.timeout.connect([&] { pair.far->write("."); });
    talk.start(15ms);
    const auto start = Clock::now();
    const auto runFor = [](std::chrono::milliseconds time) {
        const auto end = Clock::now() + time;
        while (Clock::now() < end)
            EventLoop::current()->processEvents(5ms);
    };
    runFor(200ms);
    CHECK(pair.near->state() == SocketState::Connected);
    talk.stop();
    pair.near->pauseReading();
    runFor(200ms);
    CHECK(pair.near->state() == SocketState::Connected);
    pair.near->resumeReading();
    const auto resumed = Clock::now();
    REQUIRE(pumpUntil([&] { return pair.near->state() == SocketState::Unconnected; }));
    CHECK(Clock::now() - resumed >= 80ms);
    CHECK(Clock::now() - start >= 480ms);
}

TEST_CASE("a slot may keep a silent peer by ending the connection its own way, and reconnect") {
    const PlainSocket listener = PlainSocket::listening();
    TcpPair pair;
    int timeouts = 0;
    pair.near->setReadTimeout(20ms);
    pair.near->errorOccurred.connect([&](SocketError error) {
        timeouts += error == SocketError::SocketTimeout ? 1 : 0;
        pair.near->setReadTimeout(0ms);
        pair.near->abort();
        pair.near->connectToHost(HostAddress::LocalHost, listener.port());
    });
    REQUIRE(pumpUntil([&] { return pair.near->peerPort() == listener.port(); }));
    CHECK(timeouts == 1);
    CHECK(pair.near->state() == SocketState::Connected);
}

TEST_CASE("a peer that takes nothing is given up, and one that takes a little now and then is not") {
    const auto limit = patience(400ms);
    TcpPair pair;
    std::size_t received = 0;
    pair.far->readyRead.connect([&] { received += pair.far->readAll().size(); });
    pair.far->pauseReading();
    pair.near->setWriteTimeout(limit);
    SocketTrace trace(*pair.near);
    const auto runUntil = [](Clock::time_point end) {
        while (Clock::now() < end)
            EventLoop::current()->processEvents(5ms);
    };
    runUntil(Clock::now() + 2 * limit);
    CHECK(pair.near->state() == SocketState::Connected); // there is nothing to take
    const auto fill = [&] {
        while (pair.near->bytesToWrite() < 20'000'000)
            pair.near->write(std::string(5'000'000, 'w'));
    };
    fill();
    for (const auto end = Clock::now() + 3 * limit; Clock::now() < end && pair.near->bytesToWrite() != 0;) {
        runUntil(Clock::now() + limit / 10);
        const std::size_t before = received;
        pair.far->resumeReading();
        REQUIRE(pumpUntil([&] { return received >= before + 8'000'000; })); // enough to open its window anew
        pair.far->pauseReading();
        fill();
    }
    CHECK(pair.near->state() == SocketState::Connected);
    REQUIRE(pumpUntil([&] { return pair.near->state() == SocketState::Unconnected; }));
    CHECK(pair.near->error() == SocketError::SocketTimeout);
    CHECK(pair.near->errorString().ends_with(" took nothing of what it was sent for too long"));
    CHECK(trace.text().ends_with("error(SocketTimeout while Connected) Unconnected readChannelFinished disconnected"));
}

TEST_CASE("a read timeout that was set before there was a connection counts from its beginning on") {
    for (const bool connectsAnew : {false, true}) {
        CAPTURE(connectsAnew);
        ManualClock clock(ManualClock::WhenIdle::Wait);
        const PlainSocket listener = PlainSocket::listening();
        TcpSocket socket;
        socket.setReadTimeout(60s);
        socket.setConnectTimeout(5s);
        for (int connection = 0; connection != (connectsAnew ? 2 : 1); ++connection) {
            socket.abort();
            clock.advance(100s);
            socket.connectToHost(HostAddress::LocalHost, listener.port());
            REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
        }
        clock.advance(59s);
        CHECK(socket.state() == SocketState::Connected);
        clock.advance(1s);
        CHECK(socket.state() == SocketState::Unconnected);
        CHECK(socket.error() == SocketError::SocketTimeout);
    }
}

TEST_CASE("a read timeout that was set before the descriptor came counts from then on") {
    ManualClock clock(ManualClock::WhenIdle::Wait);
    const PlainSocket listener = PlainSocket::listening();
    PlainSocket client = PlainSocket::connectedTo(listener.port());
    TcpSocket socket;
    socket.setReadTimeout(60s);
    clock.advance(100s);
    REQUIRE(socket.setSocketDescriptor(client.release()));
    clock.advance(59s);
    CHECK(socket.state() == SocketState::Connected);
    clock.advance(1s);
    CHECK(socket.error() == SocketError::SocketTimeout);
}

TEST_CASE("a socket's timeouts hold in its waits, in a thread without a loop") {
    const PlainSocket listener = PlainSocket::listening();
    bool ended = false;
    std::chrono::steady_clock::duration lasted{};
    SocketError error = SocketError::None;
    std::thread([&] {
        TcpSocket socket;
        socket.setReadTimeout(30ms);
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        if (!socket.waitForConnected(5000))
            return;
        const auto began = std::chrono::steady_clock::now();
        ended = !socket.waitForReadyRead(-1) && socket.state() == SocketState::Unconnected;
        lasted = std::chrono::steady_clock::now() - began;
        error = socket.error();
    }).join();
    CHECK(ended);
    CHECK(lasted > 10ms); // and was no time of another connection
    CHECK(error == SocketError::SocketTimeout);
}

TEST_CASE("in the hands of a test the timeouts of sockets take no time, in the loop and in waits") {
    ManualClock clock(ManualClock::WhenIdle::Wait);
    TcpPair pair;
    SocketTrace trace(*pair.near);
    pair.near->setReadTimeout(1h);
    clock.advance(59min);
    CHECK(trace.text().empty());
    pair.far->write("x");
    REQUIRE(pumpUntil([&] { return pair.near->bytesAvailable() == 1; }));
    clock.advance(59min);
    CHECK(trace.text() == "readyRead");
    clock.advance(1min);
    CHECK(trace.text() == "readyRead error(SocketTimeout while Connected) Unconnected readChannelFinished "
                          "disconnected");

    TcpPair other;
    other.near->setReadTimeout(1h);
    CHECK_FALSE(other.near->waitForReadyRead(1)); // whose time is real
    CHECK(other.near->state() == SocketState::Connected);
    clock.skip(1h);
    CHECK_FALSE(other.near->waitForReadyRead(-1)); // late by now
    CHECK(other.near->state() == SocketState::Unconnected);
}

TEST_CASE("where time jumps, a wait that nobody answers is over at once") {
    ManualClock clock(ManualClock::WhenIdle::Wait);
    TcpPair pair;
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    ManualClock jumping(ManualClock::WhenIdle::Jump);
    const auto begin = Clock::now();
    CHECK_FALSE(pair.near->waitForReadyRead(3'600'000));
    CHECK(Clock::now() == begin + 1h);
    CHECK(pair.near->state() == SocketState::Connected);
    pair.near->setReadTimeout(2h);
    CHECK_FALSE(pair.near->waitForReadyRead(-1));
    CHECK(Clock::now() == begin + 3h);
    CHECK(pair.near->error() == SocketError::SocketTimeout);
    CHECK(pair.near->state() == SocketState::Unconnected);
    bool timedOut = false;
    CHECK_FALSE(server.waitForNewConnection(3'600'000, &timedOut));
    CHECK(timedOut);
    CHECK(Clock::now() == begin + 4h);
}
