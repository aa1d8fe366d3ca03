// What clients can cost the server of the metrics.
#include "echo_client.h"
#include "metrics_server.h"

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// A server of metrics whose time a test moves.
struct Page {
    Page() { REQUIRE(server.server().listen(halyard::HostAddress(0x7f000001), 0)); }

    PlainSocket client() {
        PlainSocket socket = connectPatiently(server.server().serverPort());
        pumpIdle();
        return socket;
    }
    void pass(std::chrono::milliseconds time) {
        clock.advance(time);
        pumpIdle();
    }

    halyard::ManualClock clock;
    halyard::EventLoop loop;
    echo::Metrics metrics{1};
    echo::MetricsServer server{metrics};
};

constexpr std::string_view request = "GET /ready HTTP/1.0\r\n\r\n";

bool isOver(const PlainSocket& client) {
    bool ended = false;
    client.receiveNow(&ended);
    return ended;
}

} // namespace

TEST_CASE("a request has five seconds for all of it, however it drips") {
    Page page;
    const auto client = page.client();
    client.send("GET ");
    page.pass(4s);
    client.send("/");
    page.pass(900ms);
    CHECK_FALSE(isOver(client));
    page.pass(100ms);
    CHECK(isOver(client));
}

TEST_CASE("a client that sends on after its answer is heard for no longer than that either") {
    Page page;
    const auto client = page.client();
    client.send(request);
    client.send(std::string(64 * 1024, 'x')); // more than is read: a close that left it there would reset
    pumpIdle();
    CHECK(client.receiveNow().starts_with("HTTP/1.0 200 "));
    const auto isTaken = [&] { return ::send(client.descriptor(), "x", 1, MSG_NOSIGNAL) == 1; };
    page.pass(4900ms);
    CHECK(isTaken());
    pumpIdle();
    CHECK(isTaken()); // a reset would have answered the first one
    page.pass(100ms);
    CHECK(pumpUntilElsewhere([&] { return !isTaken(); }));
}

TEST_CASE("so many may ask for metrics at a time, and who comes behind them has its turn") {
    Page page;
    std::vector<PlainSocket> silent;
    for (int i = 0; i != 32; ++i)
        silent.push_back(page.client());
    const auto last = page.client();
    last.send(request);
    pumpIdle();
    CHECK(last.receiveNow().empty());
    SUBCASE("when one has gone") { silent.front().close(); }
    SUBCASE("when their time is over") { page.pass(5s); }
    CHECK(pumpUntilElsewhere([&] { return last.receiveNow().starts_with("HTTP/1.0 200 "); }));
}
