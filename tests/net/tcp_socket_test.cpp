#include "socket_trace.h"
#include "tcp_pair.h"
#include <accepted.h>
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>
#include <pump_peer.h>

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <type_traits>

using namespace halyard;
using namespace halyard::test;

static_assert(!std::is_copy_constructible_v<TcpSocket> && !std::is_move_constructible_v<TcpSocket>);
static_assert(std::has_virtual_destructor_v<TcpSocket>);

TEST_CASE("a fresh socket is as nobody has touched it, and what ends a connection does it no harm") {
    Logged log;
    TcpSocket socket;
    const SocketTrace trace(socket);
    socket.abort();
    socket.close();
    socket.disconnectFromHost();
    CHECK_FALSE(socket.flush());
    CHECK(socket.state() == SocketState::Unconnected);
    CHECK(socket.error() == SocketError::None);
    CHECK(socket.errorString().empty());
    CHECK(socket.socketDescriptor() == -1);
    CHECK_FALSE(socket.isValid());
    CHECK(socket.peerAddress().isNull());
    CHECK(socket.localAddress().isNull());
    CHECK(socket.peerPort() == 0);
    CHECK(socket.localPort() == 0);
    CHECK(socket.bytesAvailable() == 0);
    CHECK(socket.bytesToWrite() == 0);
    CHECK(socket.readBufferSize() == 0);
    CHECK(socket.atEnd());
    CHECK_FALSE(socket.canReadLine());
    CHECK(socket.readAll().empty());
    CHECK(trace.text().empty());
    CHECK(log.lines().empty());
}

TEST_CASE("connecting: what is told inside the call, and what by the loop") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    CHECK(trace.take() == "HostLookup Connecting hostFound");
    CHECK(socket.peerAddress().isNull());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    pumpIdle();
    CHECK(trace.take() == "Connected connected");
    CHECK(socket.peerAddress() == HostAddress(HostAddress::LocalHost));
    CHECK(socket.peerPort() == listener.port());
    CHECK(socket.localAddress() == HostAddress(HostAddress::LocalHost));
    CHECK(socket.localPort() != 0);
    CHECK(socket.isValid());
}

TEST_CASE("a refused connection is told once, with a sentence, when the socket is unconnected again") {
    PlainSocket listener = PlainSocket::listening();
    const std::uint16_t port = listener.port();
    listener.close();
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost(HostAddress::LocalHost, port);
    socket.write("never sent");
    REQUIRE(pumpUntil([&] { return socket.error() != SocketError::None; }));
    pumpIdle();
    CHECK(trace.text() == "HostLookup Connecting hostFound Unconnected error(ConnectionRefused while Unconnected)");
    CHECK(socket.errorString() == "cannot connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
    CHECK(socket.bytesToWrite() == 0);
    CHECK(socket.socketDescriptor() == -1);
}

TEST_CASE("connecting to no address fails like any other connecting") {
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost(HostAddress(), 1);
    REQUIRE(pumpUntil([&] { return socket.error() != SocketError::None; }));
    CHECK(socket.error() == SocketError::SocketAddressNotAvailable);
    CHECK(socket.state() == SocketState::Unconnected);
}

TEST_CASE("a socket in use refuses to connect, and its connection goes on") {
    Logged log;
    TcpPair pair;
    SocketTrace trace(*pair.near);
    pair.near->connectToHost(HostAddress::LocalHost, 1);
    CHECK(trace.take() == "error(Operation while Connected)");
    CHECK(log.lines().size() == 1);
    pair.near->write("unharmed");
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 8; }));
    CHECK(pair.far->readAll() == "unharmed");
}

TEST_CASE("what was written while connecting is sent once connected, also when the socket was asked to leave") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    CHECK(socket.write("early") == 5);
    CHECK_FALSE(socket.flush());
    socket.disconnectFromHost();
    const PlainSocket peer = listener.accept();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(peer.receive() == "early");
    CHECK(trace.text() == "HostLookup Connecting hostFound Connected connected Closing bytesWritten(5) Unconnected "
                          "readChannelFinished disconnected");
}

TEST_CASE("giving up while connecting is told by the state alone") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    trace.take();
    socket.abort();
    CHECK(trace.text() == "Unconnected readChannelFinished");
    pumpIdle();
    CHECK(trace.text() == "Unconnected readChannelFinished");
    CHECK(socket.error() == SocketError::None);
}

TEST_CASE("a socket can be connected again, from its last signal too") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    int connects = 0;
    socket.connected.connect([&] { ++connects; });
    socket.disconnected.connect([&] {
        if (connects == 1)
            socket.connectToHost(HostAddress::LocalHost, listener.port());
    });
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    REQUIRE(pumpUntil([&] { return connects == 1; }));
    listener.accept();
    REQUIRE(pumpUntil([&] { return connects == 2; }));
    CHECK(socket.peerPort() == listener.port());
    CHECK(socket.error() == SocketError::None);
    const PlainSocket peer = listener.accept();
    peer.send("second");
    REQUIRE(pumpUntil([&] { return socket.bytesAvailable() == 6; }));
    CHECK(socket.readAll() == "second");
}

TEST_CASE("the peer's end: last bytes, error while connected, then the rest in order; bytes stay readable") {
    Accepted connection;
    PlainSocket& peer = connection.peer;
    TcpSocket& socket = *connection.socket;
    const SocketTrace trace(socket);
    bool peerKnown = false;
    socket.disconnected.connect([&] { peerKnown = !socket.peerAddress().isNull() && socket.bytesAvailable() == 5; });
    peer.send("hello");
    peer.close();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(trace.text() == "readyRead error(RemoteHostClosed while Connected) Closing Unconnected readChannelFinished "
                          "disconnected");
    CHECK(peerKnown);
    CHECK(socket.peerAddress().isNull());
    CHECK(socket.errorString().ends_with(" closed the connection"));
    CHECK(socket.errorString().starts_with("127.0.0.1:"));
    CHECK(socket.readAll() == "hello");
    std::byte more[4];
    CHECK(socket.read(more) == -1);
}

TEST_CASE("a peer's reset comes after the bytes before it, and says that it was one") {
    Accepted connection;
    PlainSocket& peer = connection.peer;
    TcpSocket& socket = *connection.socket;
    socket.write("unwanted");
    peer.reset();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(socket.error() == SocketError::RemoteHostClosed);
    CHECK(socket.errorString().ends_with(" broke: Connection reset by peer"));
}

TEST_CASE("leaving with nothing to send ends inside the call") {
    TcpPair pair;
    SocketTrace trace(*pair.near);
    pair.near->disconnectFromHost();
    CHECK(trace.text() == "Closing Unconnected readChannelFinished disconnected");
    CHECK(pumpUntil([&] { return pair.far->state() == SocketState::Unconnected; }));
    CHECK(pair.far->error() == SocketError::RemoteHostClosed);
}

TEST_CASE("leaving with megabytes to send sends them all; close does too") {
    for (const bool byClose : {false, true}) {
        TcpPair pair;
        std::string received;
        pair.far->readyRead.connect([&] { received += pair.far->readAll(); });
        const std::string all(6'000'000, 'b');
        CHECK(pair.near->write(all) == 6'000'000);
        CHECK(pair.near->bytesToWrite() > 0);
        byClose ? pair.near->close() : pair.near->disconnectFromHost();
        CHECK(pair.near->state() == SocketState::Closing);
        REQUIRE(pumpUntil([&] {
            return pair.near->state() == SocketState::Unconnected && pair.far->state() == SocketState::Unconnected;
        }));
        CHECK(received == all);
    }
}

TEST_CASE("aborting throws away what was not sent and resets the connection") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    const PlainSocket peer = listener.accept();
    socket.write(std::string(10'000'000, 'a'));
    SocketTrace trace(socket);
    socket.abort();
    CHECK(socket.bytesToWrite() == 0);
    CHECK(socket.socketDescriptor() == -1);
    CHECK(trace.text().ends_with("Unconnected readChannelFinished disconnected"));
    CHECK(socket.error() == SocketError::None);
    pumpPeer(peer);
    CHECK((peer.isReset() || peer.receive(1).empty()));
}

TEST_CASE("closing over unread input does not reset what the peer has still to read") {
    Accepted connection;
    const PlainSocket& peer = connection.peer;
    TcpSocket& socket = *connection.socket;
    socket.setReadBufferSize(10);
    peer.send(std::string(50'000, 'i'));
    REQUIRE(pumpUntil([&] { return socket.bytesAvailable() == 10; }));
    socket.write(std::string(100'000, 'o'));
    socket.disconnectFromHost();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(peer.receive() == std::string(100'000, 'o'));
}

TEST_CASE("an answer to the last bytes before the peer's end arrives") {
    Accepted connection;
    const PlainSocket& peer = connection.peer;
    TcpSocket& socket = *connection.socket;
    std::string answer(5'000'000, 'r');
    socket.readyRead.connect([&] {
        socket.readAll();
        socket.write(answer);
    });
    peer.send("request");
    peer.shutdownWrite();
    CHECK((pumpPeer(peer) == answer));
}

TEST_CASE("a peer that ends and never reads does not make the socket spin") {
    Accepted connection;
    const PlainSocket& peer = connection.peer;
    TcpSocket& socket = *connection.socket;
    socket.write(std::string(20'000'000, 'r'));
    peer.shutdownWrite();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Closing; }));
    pumpIdle();
    int turns = 0;
    for (const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
         std::chrono::steady_clock::now() < end; ++turns)
        EventLoop::current()->processEvents(std::chrono::milliseconds(20));
    CHECK(turns <= 8);
    Logged log;
    CHECK(socket.write("too late") == -1);
}

TEST_CASE("writing: refused where there is no connection, nothing for nothing") {
    Logged log;
    TcpSocket socket;
    CHECK(socket.write("x") == -1);
    CHECK(socket.error() == SocketError::Operation);
    CHECK(socket.errorString() == "the socket is not connected");
    CHECK(log.lines().size() == 1);
    TcpPair pair;
    SocketTrace trace(*pair.near);
    CHECK(pair.near->write("") == 0);
    pumpIdle();
    CHECK(trace.text().empty());
}

TEST_CASE("outside slots a write goes out at once; its bytesWritten comes from the loop") {
    TcpPair pair;
    SocketTrace trace(*pair.near);
    CHECK(pair.near->write("at once") == 7);
    CHECK(pair.near->bytesToWrite() == 0);
    CHECK(trace.text().empty());
    char there[16];
    CHECK(::recv(pair.far->socketDescriptor(), there, sizeof there, MSG_PEEK) == 7);
    REQUIRE(pumpUntil([&] { return !trace.text().empty(); }));
    CHECK(trace.text() == "bytesWritten(7)");
}

TEST_CASE("everything that one slot writes leaves together, and bytesWritten sums up") {
    TcpPair pair;
    std::int64_t told = 0;
    int times = 0;
    pair.near->bytesWritten.connect([&](std::int64_t n) {
        told += n;
        ++times;
    });
    bool insideTold = false;
    EventLoop::current()->post([&] {
        for (int i = 0; i != 1000; ++i)
            pair.near->write("0123456789");
        CHECK(pair.near->bytesToWrite() == 10'000);
        std::string owned(20'000, 'x');
        pair.near->write(std::move(owned));
        insideTold = times != 0;
    });
    std::string got;
    pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
    REQUIRE(pumpUntil([&] { return got.size() == 30'000 && told == 30'000; }));
    CHECK_FALSE(insideTold);
    CHECK(times == 1);
}

TEST_CASE("flush sends from inside a slot and tells inside the call") {
    TcpPair pair;
    SocketTrace trace(*pair.near);
    bool sent = false;
    bool again = true;
    bool done = false;
    EventLoop::current()->post([&] {
        pair.near->write("now");
        sent = pair.near->flush();
        again = pair.near->flush();
        done = true;
    });
    REQUIRE(pumpUntil([&] { return done; }));
    CHECK(sent);
    CHECK_FALSE(again);
    CHECK(trace.text() == "bytesWritten(3)");
}

TEST_CASE("flush tells of what a write outside slots has sent already") {
    TcpPair pair;
    SocketTrace trace(*pair.near);
    pair.near->write("now");
    CHECK(trace.text().empty());
    CHECK(pair.near->flush());
    CHECK(trace.text() == "bytesWritten(3)");
    CHECK_FALSE(pair.near->flush());
}

TEST_CASE("a write to a peer that is gone fails later, by the loop, and the peer's last bytes come first") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    PlainSocket peer = listener.accept();
    peer.send("last words");
    peer.close();
    const SocketTrace trace(socket);
    CHECK(socket.write("into the void") > 0); // answered by a reset
    CHECK(socket.write("once more") > 0);     // and this one finds it
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(socket.readAll() == "last words");
    CHECK(socket.error() == SocketError::RemoteHostClosed);
    CHECK(trace.text().find("readyRead") < trace.text().find("error(RemoteHostClosed while Connected)"));
}

TEST_CASE("reading: lines, parts, looking ahead, skipping") {
    TcpPair pair;
    pair.near->write("first line\nsecond\nno end");
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 24; }));
    TcpSocket& socket = *pair.far;
    CHECK(socket.canReadLine());
    CHECK(socket.readLine(5) == "first");
    CHECK(socket.readLine() == " line\n");
    CHECK(socket.peek() == "second\nno end");
    CHECK(socket.skip(7) == 7);
    CHECK_FALSE(socket.canReadLine());
    CHECK(socket.read(3) == "no ");
    std::byte two[2];
    CHECK(socket.read(two) == 2);
    CHECK(std::memcmp(two, "en", 2) == 0);
    CHECK(socket.readLine() == "d");
    CHECK(socket.read(two) == 0);
    CHECK(socket.skip(1) == 0);
    CHECK(socket.atEnd());
}

TEST_CASE("readyRead is for new bytes, and not repeated for what was left") {
    TcpPair pair;
    int signals = 0;
    pair.far->readyRead.connect([&] { ++signals; });
    pair.near->write("left alone");
    REQUIRE(pumpUntil([&] { return signals == 1; }));
    pumpIdle();
    CHECK(signals == 1);
    pair.near->write("!");
    REQUIRE(pumpUntil([&] { return signals == 2; }));
    CHECK(pair.far->readAll() == "left alone!");
}

TEST_CASE("a nested loop in a slot of readyRead does not come back into it, and the bytes are there") {
    TcpPair pair;
    int depth = 0;
    int deepest = 0;
    std::size_t there = 0;
    pair.far->readyRead.connect([&] {
        deepest = std::max(deepest, ++depth);
        if (there == 0) {
            pair.near->write(" and more");
            pair.near->flush();
            pumpUntil([&] { return pair.far->bytesAvailable() == 14; });
            there = pair.far->bytesAvailable();
        }
        --depth;
    });
    pair.near->write("first");
    REQUIRE(pumpUntil([&] { return there != 0; }));
    CHECK(there == 14);
    CHECK(deepest == 1);
}

TEST_CASE("a read limit holds, pushes back, and lets go when bytes are read or it is raised") {
    TcpPair pair;
    int signals = 0;
    pair.far->readyRead.connect([&] { ++signals; });
    pair.far->setReadBufferSize(256);
    pair.near->write(std::string(512, 'l'));
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 256; }));
    pumpIdle();
    CHECK(pair.far->bytesAvailable() == 256);
    pair.far->setReadBufferSize(384);
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 384; }));
    CHECK(pair.far->read(100).size() == 100);
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 384; }));
    pair.far->setReadBufferSize(0);
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 412; }));
    CHECK(signals == 4);
}

TEST_CASE("a descriptor of somebody else's is adopted, or refused with a sentence and left alone") {
    Logged log;
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0);
    PlainSocket peer(both[1]);
    TcpSocket socket;
    const SocketTrace trace(socket);
    REQUIRE(socket.setSocketDescriptor(both[0]));
    CHECK(trace.text() == "Connected");
    CHECK(socket.socketDescriptor() == both[0]);
    peer.send("over a pair");
    REQUIRE(pumpUntil([&] { return socket.bytesAvailable() == 11; }));
    CHECK_FALSE(socket.setSocketDescriptor(0));
    CHECK(socket.error() == SocketError::Operation);

    TcpSocket other;
    int pipes[2];
    REQUIRE(::pipe(pipes) == 0);
    const PlainSocket unconnected(::socket(AF_INET, SOCK_STREAM, 0));
    const PlainSocket datagram(::socket(AF_INET, SOCK_DGRAM, 0));
    for (const int descriptor : {-5, 1'000'000, pipes[0], unconnected.descriptor(), datagram.descriptor(), both[0]}) {
        CHECK_FALSE(other.setSocketDescriptor(descriptor));
        CHECK(other.error() != SocketError::None);
        CHECK_FALSE(other.errorString().empty());
        CHECK(other.state() == SocketState::Unconnected);
    }
    CHECK(::fcntl(pipes[0], F_GETFD) >= 0);
    CHECK(::fcntl(unconnected.descriptor(), F_GETFD) >= 0);
    CHECK(::fcntl(both[0], F_GETFD) >= 0);
    ::close(pipes[0]);
    ::close(pipes[1]);
    peer.send("!");
    CHECK(pumpUntil([&] { return socket.bytesAvailable() == 12; }));
}
