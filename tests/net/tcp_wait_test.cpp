#include "socket_trace.h"
#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/local_socket.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <linux/net_tstamp.h>
#include <malloc.h>
#include <sys/socket.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

TEST_CASE("a conversation by waits alone, in a thread without a loop") {
    const PlainSocket listener = PlainSocket::listening();
    std::string got;
    std::thread peer([&] {
        const PlainSocket connection = listener.accept();
        got = connection.receive(4);
        connection.send("pong");
        connection.receive();
    });
    bool fine = false;
    std::thread([&] {
        TcpSocket socket;
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        fine = socket.waitForConnected(5000) && socket.waitForConnected(0) && socket.write("ping") == 4 &&
               socket.waitForBytesWritten(5000) && !socket.waitForBytesWritten(0) && socket.waitForReadyRead(5000) &&
               socket.readAll() == "pong";
        socket.disconnectFromHost();
        fine = fine && socket.waitForDisconnected(5000);
    }).join();
    peer.join();
    CHECK(fine);
    CHECK(got == "ping");
}

TEST_CASE("waits on a socket that is not connected are false, but for the one that waits for just that") {
    TcpSocket socket;
    CHECK_FALSE(socket.waitForConnected(10));
    CHECK_FALSE(socket.waitForReadyRead(10));
    CHECK_FALSE(socket.waitForBytesWritten(10));
    CHECK(socket.waitForDisconnected(10));
    CHECK(socket.error() == SocketError::None);
}

TEST_CASE("waiting for a refused connection is false, with the reason") {
    PlainSocket listener = PlainSocket::listening();
    const std::uint16_t port = listener.port();
    listener.close();
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost(HostAddress::LocalHost, port);
    CHECK_FALSE(socket.waitForConnected(5000));
    CHECK(socket.error() == SocketError::ConnectionRefused);
    CHECK(trace.text().ends_with("Unconnected error(ConnectionRefused while Unconnected)"));
}

TEST_CASE("waiting too short for a connection gives it up without a signal of error") {
    // A listener whose backlog is full does not answer further clients.
    const PlainSocket listener = PlainSocket::listening(0);
    std::vector<PlainSocket> fillers;
    for (int i = 0; i != 4; ++i) {
        fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        const sockaddr_in name = PlainSocket::loopback(listener.port());
        ::connect(fillers.back().descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
    }
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(socket.waitForConnected(100));
    CHECK(std::chrono::steady_clock::now() - start >= 100ms);
    CHECK(socket.state() == SocketState::Unconnected);
    CHECK(socket.error() == SocketError::SocketTimeout);
    CHECK(trace.text() == "HostLookup Connecting hostFound Unconnected readChannelFinished");
}

TEST_CASE("a silent peer lets a wait time out, and the connection goes on") {
    TcpPair pair;
    SocketTrace trace(*pair.near);
    CHECK_FALSE(pair.near->waitForReadyRead(30));
    CHECK(trace.text() == "error(SocketTimeout while Connected)");
    CHECK_FALSE(pair.near->waitForReadyRead(0));
    CHECK_FALSE(pair.near->waitForDisconnected(0));
    pair.far->write("late");
    CHECK(pair.near->error() == SocketError::SocketTimeout);
    CHECK(pair.near->waitForReadyRead(5000));
    CHECK(pair.near->error() == SocketError::None);
    CHECK(pair.near->readAll() == "late");
}

TEST_CASE("a wait that succeeds clears the error of a wait before, and no other") {
    TcpPair pair;
    CHECK_FALSE(pair.near->waitForReadyRead(0));
    pair.near->write("x");
    CHECK(pair.near->waitForBytesWritten(5000));
    CHECK(pair.near->error() == SocketError::None);
    pair.far->close();
    CHECK(pair.near->waitForDisconnected(5000));
    CHECK(pair.near->error() == SocketError::RemoteHostClosed);
}

TEST_CASE("waiting for data asks for new data") {
    TcpPair pair;
    pair.far->write("old");
    REQUIRE(pair.near->waitForReadyRead(5000));
    CHECK_FALSE(pair.near->waitForReadyRead(20));
    CHECK(pair.near->bytesAvailable() == 3);
}

TEST_CASE("a full read buffer ends a wait at once instead of spinning") {
    TcpPair pair;
    pair.near->setReadBufferSize(4);
    pair.far->write("0123456789");
    REQUIRE(pair.near->waitForReadyRead(5000));
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(pair.near->waitForReadyRead(60'000));
    CHECK(std::chrono::steady_clock::now() - start < patience(5s));
}

TEST_CASE("data and end: the wait for data is true, the next one is false and has told the end") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    PlainSocket peer = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(server.waitForNewConnection(5000));
    TcpSocket& socket = *server.nextPendingConnection();
    SocketTrace trace(socket);
    peer.send("bye");
    peer.close();
    CHECK(socket.waitForReadyRead(5000));
    CHECK(trace.take() == "readyRead");
    CHECK_FALSE(socket.waitForReadyRead(5000));
    CHECK(trace.text().ends_with("disconnected"));
    CHECK(socket.error() == SocketError::RemoteHostClosed);
    CHECK(socket.readAll() == "bye");
    CHECK(socket.waitForDisconnected());
}

TEST_CASE("a wait runs nothing of the application but direct slots of its socket") {
    TcpPair pair;
    int others = 0;
    int direct = 0;
    Timer timer;
    timer.timeout.connect([&] { ++others; });
    timer.start(0ms);
    EventLoop::current()->post([&] { ++others; });
    pair.near->readyRead.connect(
        pair.near.get(), [&] { ++others; }, ConnectionType::Queued);
    pair.near->readyRead.connect([&] { ++direct; });
    pair.far->write("x");
    CHECK(pair.near->waitForReadyRead(5000));
    CHECK_FALSE(pair.near->waitForReadyRead(30));
    CHECK(direct == 1);
    CHECK(others == 0);
    CHECK(pumpUntil([&] { return others >= 3; }));
}

TEST_CASE("a wait for what was written while connecting is true when it has gone out") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    CHECK(socket.write("early") == 5);
    CHECK(socket.waitForBytesWritten(5000));
    CHECK(socket.bytesToWrite() == 0);
    CHECK(listener.accept().receive(5) == "early");
}

TEST_CASE("inside slots: what was written goes out before the wait, and waits work") {
    TcpPair pair;
    pair.far->readyRead.connect([&] { pair.far->write(pair.far->readAll()); });
    bool written = false;
    bool none = true;
    EventLoop::current()->post([&] {
        pair.near->write("question");
        written = pair.near->waitForBytesWritten(5000);
        none = pair.near->waitForBytesWritten(5000);
        pair.near->write("!");
    });
    REQUIRE(pumpUntil([&] { return pair.near->bytesAvailable() == 9; }));
    CHECK(written);
    CHECK_FALSE(none);
    CHECK(pair.near->readAll() == "question!");

    int inside = 0;
    pair.near->readyRead.connect([&] {
        if (++inside == 1) {
            pair.near->write("b");
            pair.near->waitForBytesWritten();
        }
    });
    pair.near->write("a");
    CHECK(pumpUntil([&] { return pair.near->bytesAvailable() == 2; }));
}

TEST_CASE("a socket that is deleted, aborted or connected anew in a slot ends the wait") {
    const PlainSocket listener = PlainSocket::listening();
    auto* const socket = new TcpSocket;
    socket->connected.connect([&] { delete socket; });
    socket->connectToHost(HostAddress::LocalHost, listener.port());
    CHECK_FALSE(socket->waitForConnected(5000));

    TcpPair pair;
    pair.near->readyRead.connect([&] {
        pair.near->abort();
        pair.near->connectToHost(HostAddress::LocalHost, listener.port());
    });
    pair.far->write("x");
    CHECK(pair.near->waitForReadyRead(5000));
    CHECK(pair.near->waitForConnected(5000));
    CHECK(pair.near->peerPort() == listener.port());
}

TEST_CASE("a peer that never stops sending cannot keep a wait from ending in time") {
    for (const bool ownTimeout : {false, true}) { // the wait's time, or the socket's own
        CAPTURE(ownTimeout);
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        const PlainSocket peer(ends[1]);
        LocalSocket socket;
        REQUIRE(socket.setSocketDescriptor(ends[0]));
        const auto start = std::chrono::steady_clock::now();
        socket.readyRead.connect([&] {
            if (socket.readAll() == "more" && std::chrono::steady_clock::now() - start < patience(5s))
                peer.send("more");
        });
        peer.send("more");
        if (ownTimeout) {
            socket.setWriteTimeout(30ms);
            socket.write(std::string(20'000'000, 'w')); // which the peer does not read
        }
        CHECK(socket.waitForDisconnected(ownTimeout ? -1 : 30) == ownTimeout);
        CHECK(std::chrono::steady_clock::now() - start < patience(5s));
        CHECK(socket.error() == SocketError::SocketTimeout);
    }
}

TEST_CASE("a wait of a socket that listens to nothing rests, whatever the system goes on telling") {
    const TcpPair pair;
    const int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    REQUIRE(::setsockopt(pair.near->socketDescriptor(), SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps) == 0);
    pair.near->write("x"); // whose stamp nobody reads: poll(2) says POLLERR from now on
    pair.near->pauseReading();
    const auto processorTime = [] {
        timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
    };
    const auto before = processorTime();
    CHECK_FALSE(pair.near->waitForDisconnected(200));
    CHECK(processorTime() - before < 100ms);
    CHECK(pair.near->error() == SocketError::SocketTimeout);
}

TEST_CASE("waiting for the end with megabytes to send ends when the peer has them") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket peer = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(server.waitForNewConnection(5000));
    TcpSocket& socket = *server.nextPendingConnection();
    std::string got;
    std::thread reader([&] { got = peer.receive(); });
    const std::string all(8'000'000, 'w');
    CHECK(socket.write(all) == 8'000'000);
    socket.disconnectFromHost();
    CHECK(socket.waitForDisconnected(-1));
    reader.join();
    CHECK(got == all);
}

TEST_CASE("a program that only waits does not collect what its closed connections leave behind") {
    // What is freed in a turn of the loop is not freed here: nobody runs any.
    const auto conversations = [](int count) {
        TcpServer server;
        server.listen(HostAddress::LocalHost);
        for (int i = 0; i != count; ++i) {
            PlainSocket peer = PlainSocket::connectedTo(server.serverPort());
            peer.send("x");
            server.waitForNewConnection(5000);
            TcpSocket* const socket = server.nextPendingConnection();
            socket->waitForReadyRead(5000);
            peer.reset();
            delete socket;
        }
        return static_cast<long>(::mallinfo2().uordblks); // of the main thread's memory
    };
    const long before = conversations(500);
    CHECK(conversations(2000) - before < 64 * 1024);
}

TEST_CASE("a call from a thread that is not the socket's is refused with a sentence") {
    Logged log;
    TcpPair pair;
    TcpServer server;
    std::thread([&] {
        CHECK(pair.near->write("x") == -1);
        CHECK_FALSE(pair.near->waitForReadyRead(10));
        pair.near->abort();
        pair.near->connectToHost(HostAddress::LocalHost, 1);
        CHECK_FALSE(server.listen(HostAddress::LocalHost));
        CHECK_FALSE(server.waitForNewConnection(10));
    }).join();
    CHECK(log.lines().size() == 6);
    CHECK(pair.near->state() == SocketState::Connected);
    CHECK_FALSE(server.isListening());
}

TEST_CASE("a slot of stateChanged(HostLookup) may wait for the connection, by address and by name") {
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        CAPTURE(host);
        TcpServer server;
        REQUIRE(server.listen(HostAddress::LocalHost));
        TcpSocket socket;
        SocketTrace trace(socket);
        std::optional<bool> outcome;
        socket.stateChanged.connect([&](SocketState state) {
            if (state == SocketState::HostLookup)
                outcome = socket.waitForConnected();
        });
        socket.connectToHost(host, server.serverPort());
        CHECK(outcome == true);
        CHECK(socket.state() == SocketState::Connected);
        CHECK(trace.text() == "HostLookup Connecting hostFound Connected connected");
    }
}
