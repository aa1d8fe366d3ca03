#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <sys/time.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<TcpServer> && !std::is_move_constructible_v<TcpServer>);
static_assert(std::has_virtual_destructor_v<TcpServer>);

namespace {

std::vector<PlainSocket> clients(const TcpServer& server, int count) {
    std::vector<PlainSocket> all;
    for (int i = 0; i != count; ++i)
        all.push_back(PlainSocket::connectedTo(server.serverPort()));
    return all;
}

} // namespace

TEST_CASE("a fresh server is as nobody has touched it") {
    TcpServer server;
    CHECK_FALSE(server.isListening());
    CHECK(server.serverPort() == 0);
    CHECK(server.serverAddress().isNull());
    CHECK(server.socketDescriptor() == -1);
    CHECK(server.serverError() == SocketError::None);
    CHECK(server.errorString().empty());
    CHECK(server.maxPendingConnections() == 30);
    CHECK(server.listenBacklogSize() == SOMAXCONN);
    CHECK_FALSE(server.hasPendingConnections());
    CHECK(server.nextPendingConnection() == nullptr);
    server.close();
    server.pauseAccepting();
    server.resumeAccepting();
}

TEST_CASE("listening at port 0 takes a free port and tells which") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost, 0));
    CHECK(server.isListening());
    CHECK(server.serverPort() != 0);
    CHECK(server.serverAddress() == HostAddress(HostAddress::LocalHost));
    CHECK(server.socketDescriptor() >= 0);
}

TEST_CASE("a server that listens refuses to listen again, and goes on as it was") {
    Logged log;
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const int descriptor = server.socketDescriptor();
    const std::uint16_t port = server.serverPort();
    CHECK_FALSE(server.listen(HostAddress::LocalHost));
    CHECK_FALSE(server.setSocketDescriptor(descriptor));
    CHECK(log.lines().size() == 2);
    CHECK(server.socketDescriptor() == descriptor);
    CHECK(server.serverPort() == port);
    CHECK(server.serverError() == SocketError::None);
}

TEST_CASE("a port in use is refused with a sentence, and the next listen works and clears the error") {
    TcpServer first;
    REQUIRE(first.listen(HostAddress::LocalHost));
    TcpServer second;
    CHECK_FALSE(second.listen(HostAddress::LocalHost, first.serverPort()));
    CHECK(second.serverError() == SocketError::AddressInUse);
    CHECK(second.errorString() ==
          "cannot listen at 127.0.0.1:" + std::to_string(first.serverPort()) + ": Address already in use");
    CHECK(second.socketDescriptor() == -1);
    CHECK_FALSE(second.isListening());
    REQUIRE(second.listen(HostAddress::LocalHost));
    CHECK(second.serverError() == SocketError::None);
    CHECK(second.errorString().empty());
}

TEST_CASE("addresses that are not this machine's are refused") {
    TcpServer server;
    for (const char* address : {"1.2.3.4", "2001:db8::1"}) {
        CHECK_FALSE(server.listen(HostAddress(address)));
        CHECK(server.serverError() == SocketError::SocketAddressNotAvailable);
    }
}

TEST_CASE("Any is both families at once, and reads back as Any") {
    TcpServer server;
    REQUIRE(server.listen());
    CHECK(server.serverAddress() == HostAddress(HostAddress::Any));
    const PlainSocket four = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(server.waitForNewConnection(5000));
    TcpSocket* const socket = server.nextPendingConnection();
    CHECK(socket->peerAddress().isLoopback());
    TcpSocket six;
    six.connectToHost(HostAddress::LocalHostIPv6, server.serverPort());
    if (six.waitForConnected(5000)) // where this machine has IPv6 on its loopback
        CHECK(server.waitForNewConnection(5000));
}

TEST_CASE("a client is announced, queued, and its socket is a child of the server that knows its peer") {
    TcpServer server;
    std::string order;
    server.pendingConnectionAvailable.connect([&] { order += "available "; });
    server.newConnection.connect([&] { order += "new "; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket one = PlainSocket::connectedTo(server.serverPort());
    const PlainSocket two = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(pumpUntil([&] { return order.size() == 2 * 14; }));
    CHECK(order == "available new available new ");
    TcpSocket* const socket = server.nextPendingConnection();
    REQUIRE(socket != nullptr);
    CHECK(socket->parent() == &server);
    CHECK(socket->state() == SocketState::Connected);
    CHECK(socket->peerAddress() == HostAddress(HostAddress::LocalHost));
    CHECK(socket->peerPort() == one.port());
    CHECK(socket->localPort() == server.serverPort());
    CHECK(socket->error() == SocketError::None);
    CHECK(server.nextPendingConnection() != nullptr);
    CHECK(server.nextPendingConnection() == nullptr);
}

TEST_CASE("the free form of connect takes the signals of a server, and any stream server can be served alike") {
    struct Daemon : Object {
        void accept() {
            while (StreamSocket* const client = server.nextPendingConnection())
                client->write("served\n");
        }
        TcpServer tcp;
        StreamServer& server = tcp;
        int errors = 0;
    } daemon;
    CHECK(Object::connect(&daemon.tcp, &TcpServer::newConnection, &daemon, &Daemon::accept).isConnected());
    CHECK(Object::connect(&daemon.tcp, &TcpServer::acceptError, [&](SocketError) { ++daemon.errors; }).isConnected());
    REQUIRE(daemon.tcp.listen(HostAddress::LocalHost));
    TcpSocket client;
    client.connectToHost(HostAddress::LocalHost, daemon.tcp.serverPort());
    CHECK(pumpUntil([&] { return client.canReadLine(); }));
    CHECK(Object::disconnect(&daemon.tcp, &TcpServer::newConnection, &daemon, &Daemon::accept));
}

TEST_CASE("data that came before the connection was taken is announced after it was taken") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    client.send("early");
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
    pumpIdle();
    TcpSocket* const socket = server.nextPendingConnection();
    int signals = 0;
    socket->readyRead.connect([&] { ++signals; });
    CHECK(socket->bytesAvailable() == 0);
    REQUIRE(pumpUntil([&] { return signals != 0; }));
    CHECK(signals == 1);
    CHECK(socket->readAll() == "early");
}

TEST_CASE("a full pending queue leaves further clients in the kernel's backlog; taking one lets the next in") {
    TcpServer server;
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    server.setMaxPendingConnections(2);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto waiting = clients(server, 5);
    REQUIRE(pumpUntil([&] { return announced == 2; }));
    pumpIdle();
    CHECK(announced == 2);
    CHECK(server.nextPendingConnection() != nullptr);
    REQUIRE(pumpUntil([&] { return announced == 3; }));
    pumpIdle();
    CHECK(announced == 3);
    server.setMaxPendingConnections(4);
    REQUIRE(pumpUntil([&] { return announced == 5; }));
}

TEST_CASE("with a limit of nothing no client is accepted, until the limit is raised") {
    TcpServer server;
    server.setMaxPendingConnections(0);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    pumpIdle();
    bool timedOut = true;
    CHECK_FALSE(server.waitForNewConnection(1000, &timedOut));
    CHECK_FALSE(timedOut);
    server.setMaxPendingConnections(1);
    CHECK(pumpUntil([&] { return server.hasPendingConnections(); }));
}

TEST_CASE("a pending connection that is deleted by someone else leaves the queue") {
    TcpServer server;
    server.setMaxPendingConnections(1);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto waiting = clients(server, 2);
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
    delete server.children().front();
    CHECK_FALSE(server.hasPendingConnections());
    CHECK(server.nextPendingConnection() == nullptr);
    server.setMaxPendingConnections(2);
    CHECK(pumpUntil([&] { return server.hasPendingConnections(); }));
}

TEST_CASE("a pause by the user outlives the taking of a connection, and ends by hand") {
    TcpServer server;
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket first = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(pumpUntil([&] { return announced == 1; }));
    server.pauseAccepting();
    CHECK(server.isListening());
    const PlainSocket second = PlainSocket::connectedTo(server.serverPort());
    CHECK(server.nextPendingConnection() != nullptr);
    server.setMaxPendingConnections(40);
    pumpIdle();
    CHECK(announced == 1);
    server.resumeAccepting();
    CHECK(pumpUntil([&] { return announced == 2; }));
}

TEST_CASE("closing deletes who was not taken, keeps who was, and lets the port be listened at again") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const std::uint16_t port = server.serverPort();
    const PlainSocket taken = PlainSocket::connectedTo(port);
    REQUIRE(server.waitForNewConnection(5000));
    TcpSocket* const socket = server.nextPendingConnection();
    const PlainSocket pending = PlainSocket::connectedTo(port);
    REQUIRE(server.waitForNewConnection(5000));
    server.close();
    server.close();
    CHECK_FALSE(server.isListening());
    CHECK_FALSE(server.hasPendingConnections());
    CHECK(pending.receive().empty());
    socket->write("still here");
    CHECK(taken.receive(10) == "still here");
    CHECK(server.listen(HostAddress::LocalHost, port));
}

TEST_CASE("an override that queues nothing is called for every client, whatever the limit") {
    struct Counting : TcpServer {
        void incomingConnection(int descriptor) override {
            ++calls;
            PlainSocket(descriptor).close();
        }
        int calls = 0;
    } server;
    int announced = 0;
    int available = 0;
    server.newConnection.connect([&] { ++announced; });
    server.pendingConnectionAvailable.connect([&] { ++available; });
    server.setMaxPendingConnections(1);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 5);
    REQUIRE(pumpUntil([&] { return server.calls == 5; }));
    CHECK(announced == 5);
    CHECK(available == 0);
    CHECK_FALSE(server.hasPendingConnections());
    const PlainSocket one = PlainSocket::connectedTo(server.serverPort());
    bool timedOut = true;
    CHECK_FALSE(server.waitForNewConnection(5000, &timedOut));
    CHECK_FALSE(timedOut);
    CHECK(server.calls == 6);
}

TEST_CASE("a connection that is added by hand is announced as available only") {
    struct Opened : TcpServer {
        using TcpServer::addPendingConnection;
    } server;
    int announced = 0;
    int available = 0;
    server.newConnection.connect([&] { ++announced; });
    server.pendingConnectionAvailable.connect([&] { ++available; });
    TcpSocket socket;
    server.addPendingConnection(&socket);
    CHECK(server.hasPendingConnections());
    CHECK(server.nextPendingConnection() == &socket);
    CHECK(socket.parent() == nullptr);
    CHECK(announced == 0);
    CHECK(available == 1);
    Logged log;
    server.addPendingConnection(nullptr);
    CHECK(log.lines().size() == 1);
}

TEST_CASE("only a listening stream socket can be adopted; what is refused stays the caller's") {
    TcpServer server;
    int pipes[2];
    REQUIRE(::pipe(pipes) == 0);
    const PlainSocket datagram(::socket(AF_INET, SOCK_DGRAM, 0));
    const PlainSocket unbound(::socket(AF_INET, SOCK_STREAM, 0));
    for (const int descriptor : {-1, 1'000'000, pipes[0], datagram.descriptor(), unbound.descriptor()}) {
        CHECK_FALSE(server.setSocketDescriptor(descriptor));
        CHECK(server.serverError() == SocketError::UnsupportedSocketOperation);
        CHECK_FALSE(server.errorString().empty());
        CHECK_FALSE(server.isListening());
    }
    for (const int descriptor : {pipes[0], datagram.descriptor(), unbound.descriptor()})
        CHECK(::fcntl(descriptor, F_GETFD) >= 0);
    ::close(pipes[0]);
    ::close(pipes[1]);

    PlainSocket listener = PlainSocket::listening();
    const int descriptor = listener.release();
    REQUIRE(server.setSocketDescriptor(descriptor));
    CHECK(server.serverError() == SocketError::None);
    CHECK((::fcntl(descriptor, F_GETFL) & O_NONBLOCK) != 0);
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    CHECK(pumpUntil([&] { return server.hasPendingConnections(); }));
    server.close();
    CHECK(::fcntl(descriptor, F_GETFD) < 0);
}

TEST_CASE("in a slot of newConnection the server may close, be deleted, and listen again") {
    auto* server = new TcpServer;
    int announced = 0;
    server->newConnection.connect([&] {
        ++announced;
        server->close();
        REQUIRE(server->listen(HostAddress::LocalHost));
    });
    REQUIRE(server->listen(HostAddress::LocalHost));
    const auto first = clients(*server, 3);
    REQUIRE(pumpUntil([&] { return announced == 1; }));
    pumpIdle();
    CHECK(announced == 1);
    server->newConnection.disconnectAll();
    server->newConnection.connect([&] { delete std::exchange(server, nullptr); });
    const auto second = clients(*server, 3);
    REQUIRE(pumpUntil([&] { return server == nullptr; }));
    pumpIdle();
}

TEST_CASE("a nested loop in a slot of newConnection accepts further clients") {
    TcpServer server;
    int announced = 0;
    int depth = 0;
    int deepest = 0;
    server.newConnection.connect([&] {
        ++announced;
        deepest = std::max(deepest, ++depth);
        pumpUntil([&] { return announced == 3; });
        --depth;
    });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 3);
    CHECK(pumpUntil([&] { return announced == 3 && depth == 0; }));
    CHECK(deepest == 3);
}

// --- waiting ---

TEST_CASE("waiting on a server that does not listen is false, not timed out, and no error") {
    TcpServer server;
    bool timedOut = true;
    CHECK_FALSE(server.waitForNewConnection(10, &timedOut));
    CHECK_FALSE(timedOut);
    CHECK(server.serverError() == SocketError::None);
}

TEST_CASE("waiting for no time looks once") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    bool timedOut = false;
    CHECK_FALSE(server.waitForNewConnection(0, &timedOut));
    CHECK(timedOut);
    CHECK(server.serverError() == SocketError::SocketTimeout);
    CHECK_FALSE(server.waitForNewConnection());
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    CHECK(server.waitForNewConnection(0, &timedOut));
    CHECK_FALSE(timedOut);
    CHECK(server.waitForNewConnection(100, &timedOut)); // it is pending already
    CHECK_FALSE(timedOut);
}

TEST_CASE("a storm of signals does not change how long a wait lasts") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    struct sigaction quiet {};
    struct sigaction before {};
    quiet.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &quiet, &before);
    const itimerval every{{0, 10'000}, {0, 10'000}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
    const auto start = std::chrono::steady_clock::now();
    bool timedOut = false;
    CHECK_FALSE(server.waitForNewConnection(200, &timedOut));
    const auto lasted = std::chrono::steady_clock::now() - start;
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    CHECK(timedOut);
    CHECK(lasted >= 200ms);
    CHECK(lasted < 200ms + patience(2s));
}

TEST_CASE("a wait runs direct slots of the server and nothing else of the application") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    int tasks = 0;
    int queued = 0;
    int direct = 0;
    EventLoop::current()->post([&] { ++tasks; });
    server.newConnection.connect(
        &server, [&] { ++queued; }, ConnectionType::Queued);
    server.newConnection.connect([&] { ++direct; });
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    CHECK(server.waitForNewConnection(5000));
    CHECK(direct == 1);
    CHECK(queued == 0);
    CHECK(tasks == 0);
    CHECK(pumpUntil([&] { return queued == 1 && tasks == 1; }));
}

TEST_CASE("a wait takes as many as the limit allows, and the taken ones make room") {
    TcpServer server;
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    server.setMaxPendingConnections(2);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 4);
    REQUIRE(server.waitForNewConnection(5000));
    CHECK(announced == 2);
    CHECK(server.nextPendingConnection() != nullptr);
    CHECK(server.nextPendingConnection() != nullptr);
    REQUIRE(server.waitForNewConnection(5000));
    CHECK(announced == 4);
}

TEST_CASE("a wait in a slot, of the same server and of another, and one that deletes the server") {
    TcpServer outer;
    TcpServer inner;
    REQUIRE(outer.listen(HostAddress::LocalHost));
    REQUIRE(inner.listen(HostAddress::LocalHost));
    const PlainSocket toInner = PlainSocket::connectedTo(inner.serverPort());
    bool same = false;
    bool other = false;
    outer.newConnection.connect([&] {
        same = outer.waitForNewConnection(5000);
        other = inner.waitForNewConnection(5000);
    });
    const PlainSocket toOuter = PlainSocket::connectedTo(outer.serverPort());
    CHECK(pumpUntil([&] { return same && other; }));

    auto* doomed = new TcpServer;
    REQUIRE(doomed->listen(HostAddress::LocalHost));
    doomed->newConnection.connect([&] { delete doomed; });
    const PlainSocket client = PlainSocket::connectedTo(doomed->serverPort());
    bool timedOut = true;
    CHECK_FALSE(doomed->waitForNewConnection(5000, &timedOut));
    CHECK_FALSE(timedOut);
}

TEST_CASE("a wait accepts while the user has paused, and the pause goes on") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    server.pauseAccepting();
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    CHECK(server.waitForNewConnection(5000));
    const PlainSocket second = PlainSocket::connectedTo(server.serverPort());
    pumpIdle();
    CHECK(server.children().size() == 1);
}

TEST_CASE("a server works in a plain thread that runs no loop") {
    std::string received;
    std::optional<std::uint16_t> port;
    std::thread([&] {
        TcpServer server;
        REQUIRE(server.listen(HostAddress::LocalHost));
        port = server.serverPort();
        const PlainSocket client = PlainSocket::connectedTo(*port);
        client.send("from the thread");
        REQUIRE(server.waitForNewConnection(-1));
        TcpSocket* const socket = server.nextPendingConnection();
        REQUIRE(socket->waitForReadyRead(5000));
        received = socket->readAll();
    }).join();
    CHECK(received == "from the thread");
}

// --- storms and exhaustion ---

TEST_CASE("a thousand clients that reset before they are taken harm nobody") {
    TcpServer server;
    server.setMaxPendingConnections(2000);
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    int ended = 0;
    for (int i = 0; i != 1000; ++i) {
        PlainSocket client = PlainSocket::connectedTo(server.serverPort());
        client.send("x");
        client.reset();
        EventLoop::current()->processEvents();
    }
    const PlainSocket last = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(pumpUntil([&] { return announced >= 1 && server.waitForNewConnection(0); }));
    int taken = 0;
    while (TcpSocket* const socket = server.nextPendingConnection()) {
        ++taken;
        socket->disconnected.connect([&ended] { ++ended; });
    }
    CHECK(pumpUntil([&] { return ended >= taken - 1; }));
}

TEST_CASE("a thousand clients at once are all accepted, and fast") {
    TcpServer server;
    server.setMaxPendingConnections(2000);
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 1000);
    CHECK(pumpUntil([&] { return announced == 1000; }));
}
