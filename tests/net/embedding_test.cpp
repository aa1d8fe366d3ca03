// Servers and sockets in a loop that others run: a host's uv_run, a program's poll(2).
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>

#include <doctest/doctest.h>
#include <echo.h>
#include <poll.h>
#include <pump.h>
#include <uv.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// And a timer beside it.
struct TickingEcho : Echo {
    TickingEcho() {
        timer.timeout.connect([this] { ++ticks; });
        begin();
        timer.start(5ms);
    }
    bool isDone() const { return got.size() >= 100 && ticks >= 3; }

    Timer timer;
    int ticks = 0;
};

} // namespace

TEST_CASE("sockets and servers work in a host's uv loop") {
    std::thread([] {
        uv_loop_t host{};
        CHECK(uv_loop_init(&host) == 0);
        {
            EventLoop loop(&host);
            TickingEcho echo;
            const auto end = std::chrono::steady_clock::now() + patience();
            while (!echo.isDone() && std::chrono::steady_clock::now() < end)
                uv_run(&host, UV_RUN_ONCE);
            CHECK(echo.isDone());
        }
        uv_run(&host, UV_RUN_NOWAIT);
        CHECK(uv_loop_close(&host) == 0);
    }).join();
}

TEST_CASE("sockets and servers work in a loop that poll drives, and then let it sleep") {
    std::thread([] {
        EventLoop& loop = *EventLoop::current();
        TickingEcho echo;
        const auto end = std::chrono::steady_clock::now() + patience();
        const auto turn = [&loop] {
            pollfd watched{loop.backendFd(), POLLIN, 0};
            const auto timeout = loop.backendTimeout().value_or(1s);
            ::poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(timeout.count(), 1000)));
            return loop.processEvents();
        };
        while (!echo.isDone() && std::chrono::steady_clock::now() < end)
            turn();
        CHECK(echo.isDone());
        echo.client.abort();
        echo.timer.stop();
        int idle = 0;
        for (int turns = 0; turns != 20 && loop.backendTimeout().has_value(); ++turns)
            idle += turn() ? 0 : 1;
        CHECK_FALSE(loop.backendTimeout().has_value());
        CHECK(idle <= 3);
    }).join();
}
