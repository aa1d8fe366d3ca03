// Sockets and servers that move from thread to thread.
#include <halyard/core/thread.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>
#include <logged.h>
#include <pump.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
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
        const std::string data = socket_->read(64 * 1024);
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
