// What the system has no more of, signals at every moment, and peers that reset: for real.
#include "child.h"
#include "echo_scenario.h"
#include "own_network.h"

#include <halyard/signals/sanitizers.h>

#include <logged.h>
#include <plain_socket.h>
#include <signal_storm.h>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

constexpr int skipped = 77;

/// A network of this process alone, whose ports are few. False where that is not allowed.
bool haveFewPorts() {
    if (!enterOwnNetwork())
        return false;
    std::ofstream range("/proc/sys/net/ipv4/ip_local_port_range");
    return static_cast<bool>(range << "60000 60003" << std::flush);
}

} // namespace

TEST_CASE("signals at every moment cost neither bytes nor connections nor time") {
    const std::string message = pattern(1'000'000);
    const SignalStorm storm(200us);
    for (int i = 0; i != 20; ++i) {
        const Outcome outcome = converse(message);
        outcome.check(message);
        CHECK(outcome.isComplete(message));
    }
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto start = std::chrono::steady_clock::now();
    bool timedOut = false;
    CHECK_FALSE(server.waitForNewConnection(100, &timedOut));
    CHECK(timedOut);
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(100));
    CHECK(SignalStorm::ticks > 10);
}

TEST_CASE("a peer may reset at any moment, and the next one is served") {
    Outcome outcome;
    Echo echo(outcome);
    REQUIRE(echo.server.listen(HostAddress::LocalHost));
    const std::ptrdiff_t before = descriptors();
    const auto isTaken = [&] { return echo.served != nullptr && echo.served->state() == SocketState::Connected; };
    for (int moment = 0; moment != 8; ++moment) {
        CAPTURE(moment);
        echo.served.reset();
        PlainSocket client = PlainSocket::connectedTo(echo.server.serverPort());
        if (moment != 0) // 0: before it is accepted
            REQUIRE(pumpUntil(isTaken));
        if (moment >= 2)
            client.send("ahoy"); // 2: before it is read
        if (moment >= 3)
            REQUIRE(pumpUntil([&] { return outcome.received.ends_with("ahoy"); })); // 3: over an answer unread
        if (moment == 4) // before it is known that nothing more can be sent
            echo.served->write(std::string(8 * 1024 * 1024, 'x'));
        if (moment == 5) { // while what was written before the end goes out
            echo.served->write(std::string(8 * 1024 * 1024, 'x'));
            echo.served->disconnectFromHost();
        }
        if (moment == 6) // behind the peer's own end
            client.shutdownWrite();
        if (moment == 7) { // while nobody listens to it
            echo.served->pauseReading();
            client.send("more");
        }
        client.reset();
        CHECK(pumpUntil([&] { return echo.served != nullptr && echo.hasEnded(); }));
        outcome.received.clear();
    }
    echo.served.reset();
    CHECK(pumpUntil([&] { return descriptors() == before; }));
    const PlainSocket last = PlainSocket::connectedTo(echo.server.serverPort());
    last.send("ahoy");
    CHECK(pumpUntil([&] { return outcome.received == "ahoy"; }));
}

#if !defined(HALYARD_ADDRESS_SANITIZER) && !defined(HALYARD_THREAD_SANITIZER)
TEST_CASE("a process without memory hears of it by std::bad_alloc, and goes on") {
    CHECK(inChild([] {
              Outcome outcome;
              Echo echo(outcome);
              echo.server.listen(HostAddress::LocalHost);
              const PlainSocket client = PlainSocket::connectedTo(echo.server.serverPort());
              if (!pumpUntil([&] { return echo.served != nullptr; }))
                  return 1;
              const rlimit little{256U << 20U, RLIM_INFINITY};
              ::setrlimit(RLIMIT_AS, &little);
              const std::string piece(1U << 20U, 'x');
              bool full = false;
              for (int i = 0; i != 1000 && !full; ++i) {
                  try {
                      echo.served->write(piece); // the peer never reads, and nobody has set a limit
                  } catch (const std::bad_alloc&) {
                      full = true;
                  }
              }
              if (!full)
                  return 2;
              echo.served->abort();
              const std::string message = pattern(100'000);
              return converse(message).isComplete(message) ? 0 : 3;
          }) == 0);
}
#endif

TEST_CASE("without a port left, connecting says that there is no address, and one that comes back is used") {
    const int ending = inChild([] {
        if (!haveFewPorts())
            return skipped;
        TcpServer server;
        if (!server.listen(HostAddress::LocalHost, 7007))
            return 1;
        std::vector<std::unique_ptr<TcpSocket>> sockets;
        SocketError error = SocketError::None;
        while (error == SocketError::None && sockets.size() != 10) {
            sockets.push_back(std::make_unique<TcpSocket>());
            sockets.back()->connectToHost(HostAddress::LocalHost, 7007);
            if (!sockets.back()->waitForConnected(static_cast<int>(patience().count())))
                error = sockets.back()->error();
        }
        if (sockets.size() != 5 || error != SocketError::SocketAddressNotAvailable)
            return 2;
        sockets.front()->abort();
        sockets.back()->connectToHost(HostAddress::LocalHost, 7007);
        return sockets.back()->waitForConnected(static_cast<int>(patience().count())) ? 0 : 3;
    });
    if (ending == skipped)
        MESSAGE("skipped: this process may have no network of its own");
    else
        CHECK(ending == 0);
}
