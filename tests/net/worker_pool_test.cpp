// Connections on the threads of a pool.
#include <halyard/core/event_loop.h>
#include <halyard/core/thread.h>
#include <halyard/net/pooled_server.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/net/worker_pool.h>

#include <doctest/doctest.h>
#include <logged.h>
#include <plain_socket.h>
#include <pump.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<WorkerPool> && !std::is_move_constructible_v<WorkerPool>);
static_assert(!std::is_copy_constructible_v<PooledServer> && !std::is_move_constructible_v<PooledServer>);

namespace {

using Balance = WorkerPool::Balance;

/// Counts on the test's thread what happens on the workers'.
class Census : public Object {
  public:
    Census() {
        came.connect(this, [this](Thread* thread) {
            ++comings;
            ++at[thread];
        });
        went.connect(this, [this](bool onItsThread) {
            ++goings;
            wrongThread = wrongThread || !onItsThread;
        });
    }

    /// What a handler does: tells of a connection's coming and going.
    void count(StreamSocket* client) {
        Thread* const its = Thread::current();
        client->destroyed.connect([this, its] { went(Thread::current() == its); });
        came(its);
    }

    Signal<Thread*> came{this};
    Signal<bool> went{this};

    int comings = 0;
    int goings = 0;
    bool wrongThread = false;
    std::map<Thread*, int> at;
};

void echo(TcpSocket* client) {
    client->readyRead.connect(client, [client] { client->write(client->readAll()); });
    client->disconnected.connect(client, &Object::deleteLater);
}

/// A pool, and a server in front of it, whose handler counts and then does something.
struct Service {
    explicit Service(int threads, PooledServer::Handler then = echo) : pool(threads) {
        server = std::make_unique<PooledServer>(pool, [this, then = std::move(then)](TcpSocket* client) {
            census.count(client);
            then(client);
        });
        if (!server->listen(HostAddress::LocalHost))
            throw std::runtime_error("the test's server does not listen");
    }

    /// A client that is on its worker already.
    PlainSocket client() {
        const int before = census.comings;
        auto connected = PlainSocket::connectedTo(server->serverPort());
        if (!pumpUntil([&] { return census.comings > before; }))
            throw std::runtime_error("the test's client is not served");
        return connected;
    }
    std::vector<PlainSocket> clients(int count) {
        std::vector<PlainSocket> all;
        while (count-- > 0)
            all.push_back(client());
        return all;
    }

    Census census; // outlives the pool, whose threads tell it
    WorkerPool pool;
    std::unique_ptr<PooledServer> server;
};

std::size_t sum(const std::vector<std::size_t>& loads) {
    return std::accumulate(loads.begin(), loads.end(), std::size_t{0});
}

} // namespace

TEST_CASE("a connection lives on one of the workers, where its slots run, and every byte comes back") {
    std::atomic<int> onTheWrongThread = 0;
    Thread* const here = Thread::current();
    Service service(3, [&](TcpSocket* client) {
        Thread* const its = Thread::current();
        const auto look = [&onTheWrongThread, client, its, here] {
            if (Thread::current() != its || client->thread() != its || its == here)
                ++onTheWrongThread;
        };
        look();
        client->readyRead.connect(client, look);
        client->disconnected.connect(client, look);
        echo(client);
    });

    std::vector<std::unique_ptr<TcpSocket>> clients;
    const std::string text(300'000, 'x');
    for (int i = 0; i != 12; ++i) {
        auto& client = *clients.emplace_back(std::make_unique<TcpSocket>());
        client.connectToHost(HostAddress::LocalHost, service.server->serverPort());
        client.write(std::to_string(i) + ' ' + text);
    }
    for (std::size_t i = 0; i != clients.size(); ++i) {
        const std::string sent = std::to_string(i) + ' ' + text;
        REQUIRE(pumpUntil([&] { return clients[i]->bytesAvailable() >= sent.size(); }));
        CHECK(clients[i]->readAll() == sent);
    }
    CHECK(service.census.at.size() == 3);
    CHECK(service.pool.loads() == std::vector<std::size_t>{4, 4, 4});
    clients.clear();
    CHECK(pumpUntil([&] { return service.census.goings == 12; }));
    CHECK(onTheWrongThread == 0);
    CHECK_FALSE(service.census.wrongThread);
}

TEST_CASE("ten thousand connections are spread evenly, whichever way the pool balances") {
    constexpr int batches = 100;
    constexpr int batch = 100;
    for (const Balance balance : {Balance::LeastConnections, Balance::RoundRobin}) {
        Service service(4);
        service.pool.setBalance(balance);
        CHECK(service.pool.balance() == balance);
        std::vector<PlainSocket> clients(batch);
        for (int done = 0; done != batches * batch;) {
            for (PlainSocket& each : clients)
                each = PlainSocket::connectedTo(service.server->serverPort());
            done += batch;
            REQUIRE(pumpUntil([&] { return service.census.comings == done; }));
            for (PlainSocket& each : clients)
                each.reset(); // which leaves no port in TIME_WAIT
        }
        CHECK(pumpUntil([&] { return service.census.goings == batches * batch; }));
        CHECK(sum(service.pool.loads()) == 0);
        REQUIRE(service.census.at.size() == 4);
        for (const auto& [thread, count] : service.census.at) {
            CHECK(count >= 2000);
            CHECK(count <= 3000);
        }
    }
}

TEST_CASE("a connection goes to a worker that has the fewest, or to the next in turn") {
    for (const Balance balance : {Balance::LeastConnections, Balance::RoundRobin}) {
        Service service(3);
        service.pool.setBalance(balance);
        auto clients = service.clients(9);
        CHECK(service.pool.loads() == std::vector<std::size_t>{3, 3, 3});
        for (std::size_t i = 1; i < clients.size(); i += 3)
            clients[i].close();
        REQUIRE(pumpUntil([&] { return service.census.goings == 3; }));
        CHECK(service.pool.loads() == std::vector<std::size_t>{3, 0, 3});
        const auto more = service.clients(3);
        if (balance == Balance::LeastConnections)
            CHECK(service.pool.loads() == std::vector<std::size_t>{3, 3, 3});
        else
            CHECK(service.pool.loads() == std::vector<std::size_t>{4, 1, 4});
    }
}

TEST_CASE("a connection counts until its socket is deleted or moved away") {
    Thread elsewhere;
    elsewhere.start();
    EventLoop& here = *EventLoop::current();
    bool moved = false;
    Service service(1, [&](TcpSocket* client) {
        client->readyRead.connect(client, [&, client] {
            if (client->readAll() == "delete") {
                client->deleteLater();
                return;
            }
            client->setParent(nullptr);
            client->disconnected.connect(client, &Object::deleteLater);
            EventLoop::current()->post([&, client] {
                const bool success = client->moveToThread(&elsewhere);
                here.post([&moved, success] { moved = success; });
            });
        });
    });
    const auto clients = service.clients(3);
    clients[0].shutdownWrite();
    CHECK(clients[0].receive().empty()); // its connection has ended
    CHECK(service.pool.loads() == std::vector<std::size_t>{3});
    clients[1].send("delete");
    REQUIRE(pumpUntil([&] { return service.census.goings == 1; }));
    CHECK(service.pool.loads() == std::vector<std::size_t>{2});
    clients[2].send("move");
    REQUIRE(pumpUntil([&] { return moved; }));
    CHECK(service.pool.loads() == std::vector<std::size_t>{1});
    service.pool.quit();
    CHECK(service.pool.wait());
    CHECK(service.pool.loads() == std::vector<std::size_t>{0});
    pumpIdle();
    CHECK(service.census.goings == 2);
    clients[2].shutdownWrite(); // it lives on elsewhere
    CHECK(pumpUntil([&] { return service.census.goings == 3; }));
    elsewhere.quit();
    elsewhere.wait();
}

TEST_CASE("a handler may delete its socket at once") {
    Service service(2, [](TcpSocket* client) { delete client; });
    const auto clients = service.clients(20);
    CHECK(pumpUntil([&] { return service.census.goings == 20; }));
    CHECK(sum(service.pool.loads()) == 0);
    for (const PlainSocket& each : clients)
        CHECK(each.receive().empty());
}

TEST_CASE("a socket may be of a class of one's own, made with a parent") {
    struct Greeter : TcpSocket {
        explicit Greeter(Object* parent) : TcpSocket(parent) {}
        void greet() {
            write("hello");
            disconnectFromHost();
        }
    };
    struct Server : TcpServer {
        void incomingConnection(int descriptor) override {
            pool.serve<Greeter>(descriptor, [](Greeter* client) {
                client->disconnected.connect(client, &Object::deleteLater);
                client->greet();
            });
        }
        WorkerPool pool{2};
    } server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket client;
    client.connectToHost(HostAddress::LocalHost, server.serverPort());
    REQUIRE(pumpUntil([&] { return client.error() == SocketError::RemoteHostClosed; }));
    CHECK(client.readAll() == "hello");
}

// --- the end ---

TEST_CASE("after quit connections may finish, none is taken, and the pool tells when the last has gone") {
    Logged logged;
    Service service(2);
    auto clients = service.clients(4);
    int finished = 0;
    service.pool.finished.connect([&] { ++finished; });
    service.pool.quit(-1ms);

    const auto late = PlainSocket::connectedTo(service.server->serverPort());
    int refused = 0;
    service.server->newConnection.connect([&] { ++refused; });
    REQUIRE(pumpUntil([&] { return refused == 1; }));
    CHECK(late.receive().empty());
    CHECK(logged.linesWith("it was told to quit") == 1);

    CHECK_FALSE(service.pool.wait(0ms));
    for (const PlainSocket& each : clients) {
        each.send("still there");
        CHECK(each.receive(11) == "still there");
    }
    CHECK(finished == 0);
    clients.clear();
    CHECK(pumpUntil([&] { return finished == 1; }));
    CHECK(service.pool.wait());
    CHECK(service.census.goings == 4);
    CHECK(service.census.comings == 4);
    service.pool.quit(); // there is nobody left to hear it
    CHECK(logged.lines().empty());
}

TEST_CASE("after the grace connections are closed: what was written arrives, and slots hear of the end") {
    std::atomic<int> heard = 0;
    const std::string answer(100'000, 'a');
    Service service(2, [&](TcpSocket* client) {
        client->write(answer);
        client->disconnected.connect(client, [&heard] { ++heard; });
    });
    const auto clients = service.clients(6);
    SUBCASE("which has an end") { service.pool.quit(20ms); }
    SUBCASE("which is shortened") {
        service.pool.quit(1h);
        CHECK_FALSE(service.pool.wait(0ms));
        service.pool.quit();
    }
    CHECK(service.pool.wait());
    CHECK(heard == 6);
    CHECK(sum(service.pool.loads()) == 0);
    for (const PlainSocket& each : clients) {
        CHECK(each.receive(answer.size()) == answer);
        CHECK_FALSE(each.isReset());
    }
    pumpIdle();
    CHECK(service.census.goings == 6);
    CHECK_FALSE(service.census.wrongThread);
}

TEST_CASE("a peer that does not take what it is sent does not keep a pool from its end") {
    std::atomic<int> heard = 0;
    Service service(1, [&](TcpSocket* client) {
        client->write(std::string(50'000'000, 'a'));
        client->disconnected.connect(client, [&heard] { ++heard; });
    });
    const auto client = service.client();
    service.pool.quit();
    CHECK(service.pool.wait());
    CHECK(heard == 1);
    CHECK(client.receive().size() < 50'000'000);
}

TEST_CASE("a session that has taken its socket away from the worker hears of the end, too") {
    struct Session : Object {
        explicit Session(TcpSocket* client) {
            client->setParent(this);
            client->disconnected.connect(this, &Object::deleteLater);
        }
    };
    Service service(1, [](TcpSocket* client) { new Session(client); });
    const auto clients = service.clients(3);
    service.pool.quit();
    CHECK(service.pool.wait());
    pumpIdle();
    CHECK(service.census.goings == 3);
}

TEST_CASE("a pool may be destroyed while connections are open: they end on their threads") {
    Census census;
    std::vector<PlainSocket> clients;
    {
        auto pool = std::make_unique<WorkerPool>(3);
        PooledServer server(*pool, [&](TcpSocket* client) {
            census.count(client);
            echo(client);
        });
        REQUIRE(server.listen(HostAddress::LocalHost));
        for (int i = 0; i != 30; ++i)
            clients.push_back(PlainSocket::connectedTo(server.serverPort()));
        SUBCASE("all of which are served") {
            REQUIRE(pumpUntil([&] { return census.comings == 30; }));
        }
        SUBCASE("some of which are still on their way") {
            int accepted = 0;
            server.newConnection.connect([&] { ++accepted; });
            REQUIRE(pumpUntil([&] { return accepted == 30; }));
        }
    }
    for (const PlainSocket& each : clients)
        CHECK(each.receive().empty());
    pumpIdle();
    CHECK(census.comings == census.goings);
    CHECK_FALSE(census.wrongThread);
}

TEST_CASE("connections live on without their server") {
    Service service(2);
    const auto clients = service.clients(4);
    service.server.reset();
    for (const PlainSocket& each : clients) {
        each.send("anybody?");
        CHECK(each.receive(8) == "anybody?");
    }
}

TEST_CASE("a server without its pool turns clients away") {
    Logged logged;
    auto pool = std::make_unique<WorkerPool>(1);
    PooledServer server(*pool, echo);
    REQUIRE(server.listen(HostAddress::LocalHost));
    int handedOver = 0;
    server.newConnection.connect([&] {
        ++handedOver;
        pool.reset(); // in a slot, too
    });
    const auto one = PlainSocket::connectedTo(server.serverPort());
    const auto other = PlainSocket::connectedTo(server.serverPort());
    REQUIRE(pumpUntil([&] { return handedOver == 2; }));
    CHECK(one.receive().empty());
    CHECK(other.receive().empty());
    CHECK(logged.linesWith("pool is gone") == 1);
}

TEST_CASE("a worker may tell its pool to quit, and cannot wait for it") {
    Logged logged;
    WorkerPool pool(2);
    std::atomic<int> waited = 0;
    PooledServer server(pool, [&](TcpSocket* client) {
        client->readyRead.connect(client, [&pool, &waited, client] {
            client->write("bye");
            pool.quit();
            waited += pool.wait() ? 100 : 1;
        });
    });
    REQUIRE(server.listen(HostAddress::LocalHost));
    int finished = 0;
    pool.finished.connect([&] { ++finished; });
    const auto client = PlainSocket::connectedTo(server.serverPort());
    client.send("quit");
    CHECK(pumpUntil([&] { return finished == 1; }));
    CHECK(waited == 1);
    CHECK(client.receive() == "bye");
    CHECK(logged.linesWith("a thread cannot wait for itself") == 1);
}

// --- what goes wrong ---

TEST_CASE(
    "a client that has reset its connection before a worker got it is forgotten without a word: floods fill no log") {
    Logged logged;
    WorkerPool pool(1);
    std::atomic<bool> served = false;
    const PlainSocket listener = PlainSocket::listening();
    for (const bool endedFirst : {false, true}) {
        PlainSocket client = PlainSocket::connectedTo(listener.port());
        const int accepted = listener.accept().release();
        if (endedFirst)
            client.shutdownWrite();
        client.reset();
        pollfd gone{accepted, POLLHUP, 0};
        REQUIRE(::poll(&gone, 1, static_cast<int>(patience().count())) == 1);
        CHECK(pool.serve(accepted, [&](TcpSocket*) { served = true; }));
    }
    pool.quit();
    CHECK(pool.wait());
    CHECK(logged.lines().empty());
    CHECK(sum(pool.loads()) == 0);
    CHECK_FALSE(served);
}

TEST_CASE("what is no connection is closed by the worker, with a logged sentence") {
    Logged logged;
    WorkerPool pool(1);
    bool served = false;
    const auto serve = [&](int descriptor) { return pool.serve(descriptor, [&](TcpSocket*) { served = true; }); };
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    CHECK(serve(ends[1]));
    CHECK(serve(-1));
    char byte = 0;
    CHECK(::read(ends[0], &byte, 1) == 0);
    ::close(ends[0]);
    pool.quit();
    CHECK(pool.wait());
    CHECK(logged.linesWith("setSocketDescriptor()") == 2);
    CHECK(sum(pool.loads()) == 0);
    CHECK_FALSE(served);
}

TEST_CASE("a pool without threads says so, and closes what it is given") {
    Logged logged;
    EventLoop::current();
    const auto listener = PlainSocket::listening();
    const auto client = PlainSocket::connectedTo(listener.port());
    auto accepted = listener.accept();
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit few = before;
    few.rlim_cur = static_cast<rlim_t>(accepted.descriptor()) + 16;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    std::vector<PlainSocket> all;
    for (int another = 0; (another = ::dup(accepted.descriptor())) >= 0;)
        all.emplace_back(another);
    all.resize(all.size() - 3); // a loop needs four; a sanitizer, where something is thrown, two
    WorkerPool pool(3);
    all.clear();
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK_FALSE(pool.isValid());
    CHECK(pool.size() == 0);
    CHECK(logged.linesWith("Thread::start()") == 1);
    CHECK_FALSE(pool.serve(accepted.release(), echo));
    CHECK(logged.linesWith("no worker runs") == 1);
    CHECK(client.receive().empty());
    CHECK(pool.wait());
}

TEST_CASE("a worker whose thread a slot has ended gets nothing any more, and the others go on") {
    Logged logged;
    Service service(2, [](TcpSocket* client) {
        client->readyRead.connect(client, [] { Thread::current()->quit(); });
        client->disconnected.connect(client, &Object::deleteLater);
    });
    auto clients = service.clients(2);
    clients[0].send("quit");
    CHECK(clients[0].receive().empty());
    REQUIRE(pumpUntil([&] { return service.census.goings == 1; }));
    for (PlainSocket& each : service.clients(5))
        clients.push_back(std::move(each));
    CHECK(service.pool.loads() == std::vector<std::size_t>{0, 6});
    clients[1].send("quit");
    CHECK(clients[1].receive().empty());
    REQUIRE(pumpUntil([&] { return service.census.goings == 7; }));
    int turnedAway = 0;
    service.server->newConnection.connect([&] { ++turnedAway; });
    const auto last = PlainSocket::connectedTo(service.server->serverPort());
    REQUIRE(pumpUntil([&] { return turnedAway == 1; }));
    CHECK(last.receive().empty());
    CHECK(logged.linesWith("no worker runs") == 1);
}

TEST_CASE("several threads may hand over at the same time, until the pool quits") {
    Logged logged;
    Census census;
    WorkerPool pool(3);
    std::vector<std::unique_ptr<Thread>> threads;
    for (int i = 0; i != 3; ++i) {
        threads.push_back(std::make_unique<Thread>());
        threads.back()->start();
        threads.back()->eventLoop()->post([&] {
            const auto listener = PlainSocket::listening();
            for (bool served = true; served;) {
                const auto client = PlainSocket::connectedTo(listener.port());
                served = pool.serve(listener.accept().release(), [&](TcpSocket* socket) {
                    census.count(socket);
                    echo(socket);
                });
                client.send("!");
                served = served && client.receive(1) == "!"; // it may have been on its way when its worker ended
            }
            Thread::current()->quit();
        });
    }
    REQUIRE(pumpUntil([&] { return census.comings > 500; }));
    pool.quit(1h);
    CHECK(pool.wait());
    for (const auto& thread : threads)
        thread->wait();
    pumpIdle();
    CHECK(census.comings == census.goings);
    CHECK(census.at.size() == 3);
    CHECK(sum(pool.loads()) == 0);
    CHECK(logged.linesWith("it was told to quit") <= 3);
}
