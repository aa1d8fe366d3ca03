// Sockets and servers that move from thread to thread.
#include "scripted_proxy.h"

#include <halyard/core/thread.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <accepted.h>
#include <doctest/doctest.h>
#include <logged.h>
#include <pump.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// The n-th byte of every stream here.
char at(std::uint64_t n) { return static_cast<char>((n * 2654435761U) >> 13U); }

/// An echo server on a thread of its own.
class EchoThread {
  public:
    EchoThread() {
        thread_.start();
        auto* const server = new TcpServer;
        REQUIRE(server->listen(HostAddress::LocalHost));
        port = server->serverPort();
        server->newConnection.connect(server, [server] {
            while (TcpSocket* const socket = server->nextPendingConnection()) {
                socket->readyRead.connect(socket, [socket] { socket->write(socket->readAll()); });
                socket->disconnected.connect(socket, &Object::deleteLater);
            }
        });
        thread_.finished.connect(server, &Object::deleteLater);
        REQUIRE(server->moveToThread(&thread_));
    }
    EchoThread(const EchoThread&) = delete;
    EchoThread& operator=(const EchoThread&) = delete;
    ~EchoThread() {
        thread_.quit();
        thread_.wait();
    }

    std::uint16_t port = 0;

  private:
    Thread thread_;
};

/// Sends a stream to an echo server and looks at what comes back; every so often it goes to another thread.
class Wanderer : public Object {
  public:
    Wanderer(std::uint64_t bytes, std::vector<Thread*> stations) : bytes_(bytes), stations_(std::move(stations)) {
        socket_ = new TcpSocket(this);
        socket_->connected.connect(this, &Wanderer::sendMore);
        socket_->bytesWritten.connect(this, [this](std::int64_t n) {
            written += static_cast<std::uint64_t>(n);
            sendMore();
        });
        socket_->readyRead.connect(this, &Wanderer::look);
        socket_->disconnected.connect(this, [this] { done = true; });
    }

    void start(std::uint16_t port) { socket_->connectToHost(HostAddress::LocalHost, port); }

    std::uint64_t written = 0;
    std::uint64_t seen = 0;
    int moves = 0;
    bool wrong = false;
    bool onWrongThread = false;
    std::atomic<bool> done = false;

  private:
    void sendMore() {
        onWrongThread = onWrongThread || !livesHere();
        while (sent_ != bytes_ && socket_->bytesToWrite() < 256 * 1024) {
            std::string chunk(static_cast<std::size_t>(std::min<std::uint64_t>(bytes_ - sent_, 10'007)), '\0');
            for (char& each : chunk)
                each = at(sent_++);
            socket_->write(std::move(chunk));
        }
    }
    void look() {
        onWrongThread = onWrongThread || !livesHere();
        const std::string data = socket_->readAll();
        for (const char each : data)
            wrong = wrong || each != at(seen++);
        if (seen == bytes_) {
            socket_->disconnectFromHost();
        } else if (seen >= nextMove_) {
            nextMove_ = seen + bytes_ / 40;
            ++moves;
            // Not in its own slot: the socket still has to come back from that.
            EventLoop::current()->post([this] {
                if (!moveToThread(stations_[static_cast<std::size_t>(moves) % stations_.size()]))
                    wrong = true;
            });
        }
    }

    TcpSocket* socket_;
    std::uint64_t bytes_;
    std::vector<Thread*> stations_;
    std::uint64_t sent_ = 0;
    std::uint64_t nextMove_ = 0;
};

} // namespace

TEST_CASE("a socket that goes from thread to thread in mid-stream loses no byte and tells only its own thread") {
    EchoThread echo;
    Thread one;
    Thread two;
    one.start();
    two.start();
    constexpr std::uint64_t bytes = 8'000'000;
    auto wanderer = std::make_unique<Wanderer>(bytes, std::vector<Thread*>{Thread::current(), &one, &two});
    wanderer->start(echo.port);
    CHECK(pumpUntilElsewhere([&] { return wanderer->done.load(); }));
    one.quit();
    two.quit();
    one.wait();
    two.wait();
    CHECK(wanderer->seen == bytes);
    CHECK(wanderer->written == bytes);
    CHECK_FALSE(wanderer->wrong);
    CHECK_FALSE(wanderer->onWrongThread);
    CHECK(wanderer->moves > 20);
}

TEST_CASE("a socket that has moved while it connects by name connects on its new thread") {
    EchoThread echo;
    Thread thread;
    thread.start();
    auto* const socket = new TcpSocket;
    std::atomic<bool> connected = false;
    socket->connected.connect(socket, [&] {
        CHECK(Thread::current() == &thread);
        connected = true;
        socket->deleteLater();
    });
    socket->connectToHost("localhost", echo.port);
    REQUIRE(socket->moveToThread(&thread));
    CHECK(pumpUntilElsewhere([&] { return connected.load(); }));
    thread.quit();
    thread.wait();
}

TEST_CASE("a full socket that is read on its new thread before it has arrived there goes on there") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket client;
    client.connectToHost(HostAddress::LocalHost, server.serverPort());
    client.write("ahoy from afar");
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
    TcpSocket* const taken = server.nextPendingConnection();
    taken->setParent(nullptr);
    taken->setReadBufferSize(4);
    REQUIRE(pumpUntil([&] { return taken->bytesAvailable() == 4; }));
    std::string got; // there, until the thread has ended
    std::atomic<bool> isWrong = false;
    std::atomic<bool> done = false;
    Thread thread;
    thread.start();
    taken->readyRead.connect(taken, [&] {
        isWrong = isWrong || Thread::current() != &thread;
        got += taken->readAll();
        done = got.size() == 14;
    });
    std::promise<void> moved;
    thread.eventLoop()->post([&] {
        moved.get_future().wait();
        got = taken->readAll();
    });
    REQUIRE(taken->moveToThread(&thread));
    moved.set_value();
    CHECK(pumpUntilElsewhere([&] { return done.load(); }));
    thread.eventLoop()->post([&] {
        delete taken;
        thread.quit();
    });
    thread.wait();
    CHECK_FALSE(isWrong);
    CHECK(got == "ahoy from afar");
}

TEST_CASE("a connection that was taken goes to another thread when it has no parent any more") {
    Logged logged;
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket client;
    client.connectToHost(HostAddress::LocalHost, server.serverPort());
    client.write("before ");
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
    TcpSocket* const taken = server.nextPendingConnection();
    Thread thread;
    thread.start();
    CHECK_FALSE(taken->moveToThread(&thread));
    CHECK(logged.linesWith("has a parent") == 1);
    taken->setParent(nullptr);
    taken->readyRead.connect(taken, [taken, &thread] {
        CHECK(Thread::current() == &thread);
        taken->write(taken->readAll());
    });
    taken->disconnected.connect(taken, &Object::deleteLater);
    REQUIRE(taken->moveToThread(&thread));
    REQUIRE(pumpUntil([&] { return client.state() == SocketState::Connected; }));
    client.write("after");
    CHECK(pumpUntil([&] { return client.bytesAvailable() == 12; }));
    CHECK(client.readAll() == "before after");
    client.disconnectFromHost();
    thread.quit();
    thread.wait();
}

namespace {

/// Where a script waits until the test lets it go on.
class Halt {
  public:
    explicit Halt(int at) : at_(at) {}
    void at(int place) {
        if (place != at_)
            return;
        isReached_ = true;
        while (!isOver_)
            std::this_thread::yield();
    }
    bool isReached() const { return isReached_; }
    void end() { isOver_ = true; }

  private:
    const int at_;
    std::atomic<bool> isReached_ = false;
    std::atomic<bool> isOver_ = false;
};

/// A client that says "ahoy" by a proxy, and ends when that is back.
class Sailor : public Object {
  public:
    Sailor() {
        socket.connected.connect(this, [this] { isWrong = isWrong || !isHere() || socket.write("ahoy") != 4; });
        socket.readyRead.connect(this, [this] {
            isWrong = isWrong || !isHere();
            got += socket.readAll();
            if (got == "ahoy")
                socket.disconnectFromHost();
        });
        socket.errorOccurred.connect(this, [this] { isWrong = done = true; });
        socket.disconnected.connect(this, [this] { done = true; });
    }
    bool isHere() const { return thread() == Thread::current(); }

    TcpSocket& socket = *new TcpSocket(this);
    std::string got;
    bool isWrong = false;
    std::atomic<bool> done = false;
};

} // namespace

TEST_CASE("a socket that goes to another thread while it connects by a proxy, or has, goes on there") {
    for (const bool isSocks : {true, false}) {
        for (int place = 0; place != 5; ++place) {
            CAPTURE(isSocks);
            CAPTURE(place);
            Halt halt(place);
            const std::string answer = isSocks ? socksReply() : "HTTP/1.1 200 Connection established\r\n\r\n";
            const ScriptedProxy proxy(std::vector<ScriptedProxy::Script>(2, [&](PlainSocket& client) {
                halt.at(1); // the connection to it stands
                if (isSocks ? socksRequest(client).size() < 10 : !httpRequest(client).ends_with("\r\n\r\n"))
                    return;
                halt.at(2); // all has been said
                client.send(answer.substr(0, 7));
                halt.at(3); // half of the answer has come
                client.send(answer.substr(7));
                const std::string word = client.receive(4);
                halt.at(4); // the tunnel stands
                client.send(word);
                stay(client);
            }));
            Thread other;
            other.start();
            const auto sailor = std::make_unique<Sailor>();
            sailor->socket.setProxy(isSocks ? proxy.socks() : proxy.http());
            sailor->socket.connectToHost(HostAddress("192.0.2.1"), 80);
            if (place != 0) { // else as it is, before the loop has had a turn
                CHECK(pumpUntilElsewhere([&] { return halt.isReached(); }));
                pumpIdle();
            }
            CHECK(sailor->moveToThread(&other));
            halt.end();
            CHECK(pumpUntilElsewhere([&] { return sailor->done.load(); }));
            other.quit();
            other.wait();
            CHECK_FALSE(sailor->isWrong);
            CHECK(sailor->got == "ahoy");
        }
    }
}

TEST_CASE("a server that listens by a proxy and goes to another thread has its client there") {
    for (const int place : {0, 1}) {
        CAPTURE(place);
        Halt halt(place);
        const ScriptedProxy proxy({[&](PlainSocket& client) {
            socksRequest(client);
            client.send(socksReply());
            halt.at(0); // it listens
            client.send(std::string("\x05\x00\x00\x01\xc6\x33", 6));
            halt.at(1); // half of who has come
            client.send(std::string("\x64\x07\x30\x39", 4));
            stay(client);
        }});
        Thread other;
        other.start();
        auto* const server = new TcpServer;
        other.finished.connect(server, &Object::deleteLater);
        std::atomic<bool> done = false;
        bool isRight = false;
        server->newConnection.connect(server, [&, server] {
            const std::unique_ptr<TcpSocket> client(server->nextPendingConnection());
            isRight = Thread::current() == &other && client->peerPort() == 12345;
            client->abort();
            done = true;
        });
        server->setProxy(proxy.socks());
        REQUIRE(server->listen());
        CHECK(pumpUntilElsewhere([&] { return halt.isReached(); }));
        pumpIdle();
        CHECK(server->moveToThread(&other));
        halt.end();
        CHECK(pumpUntilElsewhere([&] { return done.load(); }));
        other.quit();
        other.wait();
        CHECK(isRight);
    }
}

TEST_CASE("limits that a foreign thread sets are refused with a logged sentence") {
    Logged log;
    TcpSocket socket;
    std::thread([&] {
        socket.setReadBufferSize(1);
        CHECK(log.linesWith("setReadBufferSize() of a socket: the object lives on another thread") == 1);
        socket.setWriteBufferLimit(1);
        CHECK(log.linesWith("setWriteBufferLimit() of a socket: the object lives on another thread") == 1);
    }).join();
    CHECK(socket.readBufferSize() == 0);
}

TEST_CASE("a socket that is written to, flushed or deleted on its new thread before it has arrived is at home there") {
    for (const char does : {'w', 'f', 'd'}) {
        CAPTURE(does);
        Accepted connection;
        TcpSocket* const socket = connection.socket.release();
        const std::string much(2'000'000, 'x');
        std::atomic<bool> isWrong = false;
        std::atomic<std::int64_t> written = 0;
        Thread thread;
        thread.start();
        socket->bytesWritten.connect(socket, [&](std::int64_t bytes) {
            isWrong = isWrong || Thread::current() != &thread;
            written += bytes;
        });
        std::promise<void> moved;
        thread.eventLoop()->post([&] {
            moved.get_future().wait();
            socket->write(much);
            if (does == 'f')
                socket->flush();
            if (does == 'd')
                delete socket;
        });
        std::string got;
        EventLoop::current()->post([&] { // in a slot here, as well as there
            REQUIRE(socket->moveToThread(&thread));
            moved.set_value();
            got = connection.peer.receive(much.size());
        });
        CHECK(pumpUntil([&] { return !got.empty(); }));
        CHECK(got == much);
        if (does != 'd') {
            CHECK(pumpUntilElsewhere([&] { return written == static_cast<std::int64_t>(much.size()); }));
            thread.eventLoop()->post([&] { delete socket; });
        }
        thread.eventLoop()->post([&] { thread.quit(); });
        thread.wait();
        CHECK_FALSE(isWrong);
    }
}
