// Servers in a process that has no descriptor left. Resource limits are the process's: the tests run this file in one
// of its own.
#include "scripted_server.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

#include <sys/resource.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// Takes every descriptor that the process may have, as long as it lives.
class NoDescriptors {
  public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit few = before_;
        few.rlim_cur = static_cast<rlim_t>(PlainSocket(::dup(0)).descriptor()) + 8;
        ::setrlimit(RLIMIT_NOFILE, &few);
        take();
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

    void take() {
        for (int descriptor = 0; (descriptor = ::dup(0)) >= 0;)
            taken_.emplace_back(descriptor);
    }
    void giveBack(std::size_t count) { taken_.resize(taken_.size() - count); }
    void giveBackAll() { taken_.clear(); }

  private:
    rlimit before_{};
    std::vector<PlainSocket> taken_;
};

/// How long something took, and how much of that the thread was at work.
class Effort {
  public:
    std::chrono::nanoseconds wall() const { return std::chrono::steady_clock::now() - start_; }
    bool wasRest() const { return (cpu() - cpu_) * 20 < wall(); }

  private:
    static std::chrono::nanoseconds cpu() {
        rusage usage{};
        ::getrusage(RUSAGE_THREAD, &usage);
        return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    }

    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::chrono::nanoseconds cpu_ = cpu();
};

/// A server that counts, and three clients that it has not accepted yet.
struct Crowded {
    Crowded() {
        rehearse();
        server.newConnection.connect([this] { ++announced; });
        server.acceptError.connect([this](SocketError error) {
            ++errors;
            kind = error;
        });
        for (int i = 0; i != 3; ++i)
            clients.push_back(PlainSocket::connectedTo(server.serverPort()));
    }
    /// UBSan looks at the first object of each kind through a pipe(2), for which there is no descriptor later.
    void rehearse() {
        ManualClock clock;
        ScriptedServer other;
        REQUIRE(other.listen());
        other.happens({EMFILE});
        pass(clock, 1s);
        log.lines();
        REQUIRE(server.listen(HostAddress::LocalHost));
        const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
        REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
        delete server.nextPendingConnection();
    }

    Logged log;
    TcpServer server;
    std::vector<PlainSocket> clients;
    int announced = 0;
    int errors = 0;
    SocketError kind = SocketError::None;
};

} // namespace

TEST_CASE("without a descriptor left the server says so once, rests, and loses no client") {
    Crowded crowded;
    NoDescriptors none;
    const Effort effort;
    while (effort.wall() < 1s)
        EventLoop::current()->processEvents(50ms);
    CHECK(effort.wasRest());
    CHECK(crowded.errors == 1);
    CHECK(crowded.kind == SocketError::SocketResource);
    CHECK(crowded.server.serverError() == SocketError::SocketResource);
    CHECK(crowded.log.lines().size() == 1);
    CHECK(crowded.announced == 0);
    none.giveBackAll();
    CHECK(pumpUntil([&] { return crowded.announced == 3; }));
    CHECK(crowded.errors == 1);
    CHECK(crowded.server.serverError() == SocketError::None);
}

TEST_CASE("when descriptors run out again that is another episode, and resumeAccepting tries at once") {
    Crowded crowded;
    NoDescriptors none;
    REQUIRE(pumpUntil([&] { return crowded.errors == 1; }));
    none.giveBack(1);
    crowded.server.resumeAccepting();
    EventLoop::current()->processEvents(patience());
    CHECK(crowded.announced == 1);
    REQUIRE(pumpUntil([&] { return crowded.errors == 2; }));
    none.giveBackAll();
    crowded.server.resumeAccepting();
    CHECK(pumpUntil([&] { return crowded.announced == 3; }));
    CHECK(crowded.errors == 2);
}

TEST_CASE("a wait without a descriptor left waits on for one until its time is over, at rest") {
    Crowded crowded;
    NoDescriptors none;
    const Effort effort;
    bool timedOut = false;
    CHECK_FALSE(crowded.server.waitForNewConnection(500, &timedOut));
    CHECK(timedOut);
    CHECK(effort.wall() >= 500ms);
    CHECK(effort.wasRest());
    CHECK(crowded.errors == 1);
    CHECK(crowded.server.serverError() == SocketError::SocketTimeout);
    CHECK(crowded.server.errorString().ends_with("in time: Too many open files"));
    timedOut = false;
    CHECK_FALSE(crowded.server.waitForNewConnection(0, &timedOut));
    CHECK(timedOut);
    CHECK(crowded.errors == 1);
    none.giveBackAll();
    CHECK(crowded.server.waitForNewConnection(0, &timedOut)); // an episode of the loop's does not stop a wait
    CHECK_FALSE(timedOut);
    CHECK(crowded.announced == 3);
}

TEST_CASE("a wait without a descriptor left takes the client when there is one again") {
    Crowded crowded;
    NoDescriptors none;
    crowded.server.acceptError.connect([&] { none.giveBack(1); });
    for (const int msec : {-1, static_cast<int>(patience().count())}) {
        bool timedOut = true;
        CHECK(crowded.server.waitForNewConnection(msec, &timedOut));
        CHECK_FALSE(timedOut);
        CHECK(crowded.server.nextPendingConnection() != nullptr);
    }
    CHECK(crowded.announced == 2);
    CHECK(crowded.errors == 3); // at first, and behind each client that there was a descriptor for
}
