#include "many_clients.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <netinet/tcp.h>
#include <sys/syscall.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<TcpServer> && !std::is_move_constructible_v<TcpServer>);
static_assert(std::has_virtual_destructor_v<TcpServer>);

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

TEST_CASE("a port that is for privileged programs is refused to others") {
    std::ifstream setting("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    int first = 1024;
    setting >> first;
    if (first <= 81)
        return; // this machine has none
    std::thread([] {
        // Of this thread alone (the C library's call is the whole process's): nobody, if it is root.
        if (::geteuid() == 0 && ::syscall(SYS_setresuid, -1, 65534, -1) != 0)
            return;
        TcpServer server;
        CHECK_FALSE(server.listen(HostAddress::LocalHost, 81));
        CHECK(server.serverError() == SocketError::SocketAccess);
        CHECK(server.errorString() == "cannot listen at 127.0.0.1:81: Permission denied");
    }).join();
}

TEST_CASE("a port is shared by several servers only where each has asked for that") {
    TcpServer first;
    first.setReusePort(true);
    REQUIRE(first.listen(HostAddress::LocalHost));
    TcpServer second;
    CHECK_FALSE(second.listen(HostAddress::LocalHost, first.serverPort()));
    second.setReusePort(true);
    CHECK(second.listen(HostAddress::LocalHost, first.serverPort()));
    int announced = 0;
    for (TcpServer* const each : {&first, &second})
        each->newConnection.connect([&] { ++announced; });
    const auto all = clients(first, 20);
    CHECK(pumpUntil([&] { return announced == 20; }));
}

TEST_CASE("a port that is taken at one address is taken at all, and in one family free in the other") {
    TcpServer one;
    TcpServer all;
    REQUIRE(one.listen(HostAddress::LocalHost));
    CHECK_FALSE(all.listen(HostAddress::Any, one.serverPort()));
    CHECK(all.serverError() == SocketError::AddressInUse);
    if (all.listen(HostAddress::AnyIPv6, one.serverPort())) // where this machine has IPv6
        CHECK(all.serverAddress() == HostAddress(HostAddress::AnyIPv6));
    one.close();
    all.close();
    REQUIRE(all.listen());
    CHECK_FALSE(one.listen(HostAddress::LocalHost, all.serverPort()));
    CHECK(one.serverPort() == 0);
    CHECK(one.serverAddress().isNull());
    CHECK(one.listen(HostAddress())); // the null address is every IPv4 one
    CHECK(one.serverAddress() == HostAddress(HostAddress::AnyIPv4));
}

TEST_CASE("an IPv4 listener is reached by mapped addresses, and not by IPv6") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    for (const char* const address : {"::ffff:127.0.0.1", "::ffff:7f00:1"}) {
        TcpSocket client;
        client.connectToHost(HostAddress(address), server.serverPort());
        CHECK(client.waitForConnected(5000));
        CHECK(server.waitForNewConnection(5000));
        CHECK(server.nextPendingConnection() != nullptr);
    }
    TcpSocket six;
    six.connectToHost(HostAddress::LocalHostIPv6, server.serverPort());
    CHECK_FALSE(six.waitForConnected(5000));
}

TEST_CASE("the backlog is the system's maximum, or what the next listen() was told") {
    const auto backlogOf = [](const TcpServer& server) {
        tcp_info info{};
        socklen_t size = sizeof info;
        REQUIRE(::getsockopt(server.socketDescriptor(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
        return static_cast<int>(info.tcpi_sacked); // of a listener it is that (tcp_get_info in the kernel)
    };
    int maximum = 0;
    std::ifstream("/proc/sys/net/core/somaxconn") >> maximum;
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    CHECK(backlogOf(server) == std::min(maximum, SOMAXCONN));
    server.setListenBacklogSize(7);
    CHECK(server.listenBacklogSize() == 7);
    CHECK(backlogOf(server) != 7);
    server.close();
    REQUIRE(server.listen(HostAddress::LocalHost));
    CHECK(backlogOf(server) == 7);
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

TEST_CASE("an accepted socket has the system's own options, and passes to no program that is executed") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 1);
    REQUIRE(server.waitForNewConnection(5000));
    TcpSocket* const socket = server.nextPendingConnection();
    CHECK(socket->socketOption(SocketOption::LowDelay) == 0);
    CHECK(socket->socketOption(SocketOption::KeepAlive) == 0);
    CHECK(socket->peerName().empty());
    CHECK(socket->proxy() == NetworkProxy());
    CHECK(socket->readBufferSize() == 0);
    for (const int each : {server.socketDescriptor(), socket->socketDescriptor()}) {
        CHECK((::fcntl(each, F_GETFD) & FD_CLOEXEC) != 0);
        CHECK((::fcntl(each, F_GETFL) & O_NONBLOCK) != 0);
    }
}

TEST_CASE("while signals are blocked connections are queued all the same") {
    TcpServer server;
    int announced = 0;
    server.newConnection.connect([&] { ++announced; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    server.blockSignals(true);
    const auto all = clients(server, 2);
    REQUIRE(pumpUntil([&] { return server.children().size() == 2; }));
    CHECK(announced == 0);
    CHECK(server.nextPendingConnection() != nullptr);
}

TEST_CASE("an exception in a slot of newConnection leaves through the loop, and nobody is lost") {
    TcpServer server;
    int announced = 0;
    server.newConnection.connect([&] {
        if (++announced % 2 == 1)
            throw std::runtime_error("odd");
    });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 4);
    int thrown = 0;
    for (bool done = false; !done;) {
        try {
            done = true;
            pumpUntil([&] { return announced == 4; });
        } catch (const std::runtime_error&) {
            ++thrown;
            done = false;
        }
    }
    CHECK(announced == 4);
    CHECK(thrown == 2);
    for (int i = 0; i != 4; ++i)
        CHECK(server.nextPendingConnection() != nullptr);
    const auto last = clients(server, 1);
    CHECK_THROWS(server.waitForNewConnection(5000));
    CHECK(server.waitForNewConnection(0));
}

TEST_CASE("an override gives the descriptor to a thread, and makes a socket of its own kind") {
    struct Session : TcpSocket {
        using TcpSocket::TcpSocket;
        int number = 0;
    };
    struct Sessions : TcpServer {
        void incomingConnection(int descriptor) override {
            if (++count == 1) {
                worker = std::thread([descriptor] {
                    TcpSocket socket;
                    socket.setSocketDescriptor(descriptor);
                    socket.write("from the thread");
                    socket.disconnectFromHost();
                    socket.waitForDisconnected();
                });
                return;
            }
            auto* const session = new Session(this);
            session->setSocketDescriptor(descriptor);
            session->number = count;
            addPendingConnection(session);
        }
        int count = 0;
        std::thread worker;
    } server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto all = clients(server, 2);
    REQUIRE(server.waitForNewConnection(5000));
    CHECK(all[0].receive() == "from the thread");
    server.worker.join();
    auto* const session = dynamic_cast<Session*>(server.nextPendingConnection());
    REQUIRE(session != nullptr);
    CHECK(session->number == 2);
    CHECK(session->peerPort() == all[1].port());
    all[1].send("to the session");
    CHECK(session->waitForReadyRead(5000));
}

TEST_CASE("a server that dies takes along the connections it gave out, unless they have another parent") {
    auto server = std::make_unique<TcpServer>();
    REQUIRE(server->listen(HostAddress::LocalHost));
    const auto all = clients(*server, 3);
    REQUIRE(server->waitForNewConnection(5000));
    const Pointer<TcpSocket> taken = server->nextPendingConnection();
    const std::unique_ptr<TcpSocket> kept(server->nextPendingConnection());
    kept->setParent(nullptr);
    server.reset();
    CHECK_FALSE(taken);
    CHECK(all[0].receive().empty());
    CHECK(all[2].receive().empty());
    kept->write("still here");
    CHECK(all[1].receive(10) == "still here");
}

TEST_CASE("a listener may be shared by its descriptor, and both accept from one backlog") {
    TcpServer first;
    TcpServer second;
    REQUIRE(first.listen(HostAddress::LocalHost));
    REQUIRE(second.setSocketDescriptor(::dup(first.socketDescriptor())));
    CHECK(second.serverPort() == first.serverPort());
    CHECK(second.serverAddress() == HostAddress(HostAddress::LocalHost));
    first.pauseAccepting();
    const auto one = clients(first, 1);
    CHECK(second.waitForNewConnection(5000));
    first.close();
    const auto two = clients(second, 1);
    CHECK(pumpUntil([&] { return second.children().size() == 2; }));
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
}

TEST_CASE("the end of a pending connection makes room for the next client, also where the limit was lowered") {
    for (const bool lowered : {false, true}) {
        CAPTURE(lowered);
        TcpServer server;
        int announced = 0;
        server.newConnection.connect([&announced] { ++announced; });
        server.setMaxPendingConnections(lowered ? 2 : 1);
        REQUIRE(server.listen(HostAddress::LocalHost));
        const auto waiting = clients(server, 3);
        REQUIRE(pumpUntil([&] { return announced == (lowered ? 2 : 1); }));
        server.setMaxPendingConnections(1);
        for (Object* const each : server.children())
            each->deleteLater();
        CHECK(pumpUntil([&] { return announced == (lowered ? 3 : 2); }));
    }
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
    // Also while a connection that this side has ended is in TIME_WAIT.
    const PlainSocket ended = PlainSocket::connectedTo(port);
    REQUIRE(server.waitForNewConnection(5000));
    server.nextPendingConnection()->disconnectFromHost();
    CHECK(ended.receive().empty());
    server.close();
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

TEST_CASE("an exception in a slot of pendingConnectionAvailable does not keep newConnection from coming") {
    TcpServer server;
    server.setMaxPendingConnections(1);
    int taken = 0;
    server.pendingConnectionAvailable.connect([] { throw std::runtime_error("out of a slot"); });
    server.newConnection.connect([&] {
        while (TcpSocket* const socket = server.nextPendingConnection()) {
            ++taken;
            delete socket;
        }
    });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto both = clients(server, 2);
    CHECK_THROWS_AS(pumpUntil([&] { return taken == 2; }), std::runtime_error);
    CHECK_THROWS_AS(pumpUntil([&] { return taken == 3; }), std::runtime_error);
    CHECK(taken == 2);
    CHECK(server.acceptState() == AcceptState::Running);
}

TEST_CASE("a server may be deleted by the end of a connection that nobody has taken") {
    for (const bool release : {false, true}) {
        auto server = std::make_unique<TcpServer>();
        REQUIRE(server->listen(HostAddress::LocalHost));
        const auto three = clients(*server, 3);
        server->pendingConnectionAvailable.connect(
            [&] { server->findChildren<TcpSocket>().back()->destroyed.connect([&](Object*) { server.reset(); }); });
        REQUIRE(pumpUntil([&] { return server->findChildren<TcpSocket>().size() == 3; }));
        TcpServer* const its = server.get();
        if (release)
            ::close(its->releaseDescriptor());
        else
            its->close();
        CHECK(server == nullptr);
    }
}
