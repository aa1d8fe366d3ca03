#include "socket_trace.h"
#include "tcp_pair.h"
#include <accepted.h>
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// How often the loop turns in a tenth of a second: a descriptor that is ready again and again makes it spin.
int turnsInAWhile() {
    int turns = 0;
    for (const auto end = std::chrono::steady_clock::now() + 100ms; std::chrono::steady_clock::now() < end; ++turns)
        EventLoop::current()->processEvents(20ms);
    return turns;
}

} // namespace

TEST_CASE("a paused socket receives nothing, and everything once it is resumed") {
    TcpPair pair;
    int signals = 0;
    pair.far->readyRead.connect([&] { ++signals; });
    pair.far->pauseReading();
    pair.near->write("waits");
    pumpIdle();
    CHECK(signals == 0);
    CHECK(pair.far->bytesAvailable() == 0);
    CHECK_FALSE(pair.far->waitForReadyRead(60'000)); // it would wait for ever
    pair.far->resumeReading();
    REQUIRE(pumpUntil([&] { return signals == 1; }));
    CHECK(pair.far->readAll() == "waits");
    // Inside the slot, too.
    pair.far->readyRead.connect([&] { pair.far->pauseReading(); });
    pair.near->write("one");
    REQUIRE(pumpUntil([&] { return signals == 2; }));
    pair.near->write("two");
    pumpIdle();
    CHECK(pair.far->readAll() == "one");
}

TEST_CASE("a paused socket makes its peer's sending stall, and hears of its end when it is resumed") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    socket.pauseReading();
    std::size_t sent = 0;
    const std::string piece(100'000, 'p');
    for (ssize_t n = 0; n >= 0; sent += n > 0 ? static_cast<std::size_t>(n) : 0) {
        n = ::send(connection.peer.descriptor(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        pumpIdle(1);
    }
    CHECK(socket.bytesAvailable() == 0);
    connection.peer.shutdownWrite();
    CHECK(turnsInAWhile() <= 8);
    CHECK(socket.state() == SocketState::Connected);
    socket.resumeReading();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(socket.bytesAvailable() == sent);
}

TEST_CASE("a reset is noticed while the read buffer is full or reading is paused, and nothing received is lost") {
    for (const bool byPause : {false, true}) {
        CAPTURE(byPause);
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        if (byPause)
            socket.pauseReading();
        else
            socket.setReadBufferSize(10);
        connection.peer.send(std::string(50'000, 'r'));
        REQUIRE((byPause || pumpUntil([&] { return socket.bytesAvailable() == 10; })));
        pumpIdle();
        SocketTrace trace(socket);
        connection.peer.reset();
        REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
        CHECK(trace.text() == "readyRead error(RemoteHostClosed while Connected) Closing Unconnected "
                              "readChannelFinished disconnected");
        CHECK(socket.errorString().ends_with(" broke: Connection reset by peer"));
        CHECK(socket.readAll() == std::string(50'000, 'r'));
    }
}

TEST_CASE("a reset is noticed by a wait for the end while the read buffer is full") {
    Accepted connection;
    connection.socket->setReadBufferSize(4);
    connection.peer.send("0123456789");
    REQUIRE(connection.socket->waitForReadyRead(5000));
    connection.peer.reset();
    CHECK(connection.socket->waitForDisconnected(5000));
    CHECK(connection.socket->readAll() == "0123456789");
}

TEST_CASE("out-of-band data for a socket that does not read does not make the loop spin") {
    Accepted connection;
    connection.socket->pauseReading();
    ::send(connection.peer.descriptor(), "!", 1, MSG_OOB);
    CHECK(turnsInAWhile() <= 8);
    CHECK(connection.socket->state() == SocketState::Connected);
    connection.socket->resumeReading();
    connection.peer.send("in band");
    CHECK(pumpUntil([&] { return connection.socket->bytesAvailable() == 7; }));
}

TEST_CASE("the peer's end and its reset are told apart") {
    for (const bool byReset : {false, true}) {
        Accepted connection;
        connection.peer.send("x");
        REQUIRE(pumpUntil([&] { return connection.socket->bytesAvailable() == 1; }));
        byReset ? connection.peer.reset() : connection.peer.close();
        REQUIRE(pumpUntil([&] { return connection.socket->state() == SocketState::Unconnected; }));
        CHECK(connection.socket->error() == SocketError::RemoteHostClosed);
        CHECK(connection.socket->errorString().ends_with(byReset ? " broke: Connection reset by peer"
                                                                 : " closed the connection"));
    }
}
