#include <halyard/core/clock.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/fd_notifier.h>
#include <halyard/core/timer.h>

#include "fresh_thread.h"
#include "pipe.h"
#include "turn_counter.h"

#include <doctest/doctest.h>
#include <pump.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <uv.h>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;
using RealClock = std::chrono::steady_clock;
using WhenIdle = ManualClock::WhenIdle;

namespace {

static_assert(Clock::is_steady);
static_assert(std::is_same_v<Clock::time_point, RealClock::time_point>);
static_assert(!std::is_copy_constructible_v<ManualClock> && !std::is_move_constructible_v<ManualClock>);
static_assert(!std::is_convertible_v<WhenIdle, ManualClock>);

/// Some timers of an ordinary day; it writes down who went off when.
struct Day {
    Day() {
        add("minute", 1min);
        add("hour", 1h);
        add("backup", 17h + 13min + 7s);
        odd.setSingleShot(true);
        odd.timeout.connect([this] {
            log.emplace_back("odd", Clock::now() - begin);
            odd.start(++oddTimes * 1s);
        });
        odd.start(1s);
    }
    void add(const char* name, Timer::Milliseconds interval) {
        Timer& timer = *timers.emplace_back(std::make_unique<Timer>());
        timer.timeout.connect([this, name] { log.emplace_back(name, Clock::now() - begin); });
        timer.start(interval);
    }
    int count(const std::string& name) const {
        int found = 0;
        for (const auto& [its, when] : log)
            found += its == name ? 1 : 0;
        return found;
    }

    const Clock::time_point begin = Clock::now();
    std::vector<std::pair<std::string, Clock::duration>> log;
    std::vector<std::unique_ptr<Timer>> timers;
    Timer odd;
    int oddTimes = 1;
};

} // namespace

TEST_CASE("time is real until a manual clock comes, and again when it goes") {
    const auto before = RealClock::now();
    CHECK(Clock::now() >= before);
    CHECK(ManualClock::current() == nullptr);
    {
        ManualClock clock;
        CHECK(ManualClock::current() == &clock);
        const auto still = Clock::now();
        std::this_thread::sleep_for(2ms);
        CHECK(Clock::now() == still);
        clock.advance(1h);
        CHECK(Clock::now() == still + 1h);
        clock.skip(1h);
        CHECK(Clock::now() == still + 2h);
        CHECK(Clock::after(1s) == still + 2h + 1s);
        {
            ManualClock inner;
            inner.advance(1h);
            CHECK(Clock::now() == still + 3h);
        }
        CHECK(Clock::now() == still + 2h);
        onFreshThread([&] { CHECK(Clock::now() < still + 1h); });
    }
    CHECK(Clock::now() < before + 1h);
}

TEST_CASE("a day of timers runs in a second, each timer at its own time, and each day is the same") {
    const auto aDay = [](const std::function<void()>& live) {
        Day day;
        live();
        CHECK(day.count("minute") == 24 * 60);
        CHECK(day.count("hour") == 24);
        CHECK(day.count("backup") == 1);
        for (std::size_t i = 0; i != day.log.size(); ++i) {
            if (day.log[i].first == "minute")
                CHECK(day.log[i].second % 1min == 0s);
            if (day.log[i].first == "backup")
                CHECK(day.log[i].second == 17h + 13min + 7s);
            if (i != 0)
                CHECK(day.log[i - 1].second <= day.log[i].second);
        }
        return day.log;
    };
    const auto begin = RealClock::now();
    std::vector<std::pair<std::string, Clock::duration>> advanced;
    std::vector<std::pair<std::string, Clock::duration>> executed;
    std::vector<std::pair<std::string, Clock::duration>> processed;
    {
        ManualClock clock;
        advanced = aDay([&] { clock.advance(24h); });
    }
    EventLoop& loop = *EventLoop::current();
    {
        ManualClock clock(WhenIdle::Jump);
        Object context;
        executed = aDay([&] {
            Timer::singleShot(24h, &context, [&] { loop.quit(); });
            CHECK(loop.exec() == 0);
        });
        processed = aDay([&] {
            const auto end = Clock::now() + 24h;
            while (Clock::now() < end)
                loop.processEvents(std::chrono::ceil<Timer::Milliseconds>(end - Clock::now()));
        });
    }
    CHECK(advanced == executed);
    CHECK(advanced == processed);
    CHECK(RealClock::now() - begin < patience(3s));
}

TEST_CASE("advancing runs what a slot posts and deletes at the time of that slot") {
    ManualClock clock;
    const auto begin = Clock::now();
    std::vector<Clock::duration> at;
    Timer timer;
    Timer follower;
    Timer late;
    timer.setSingleShot(true);
    follower.setSingleShot(true);
    timer.timeout.connect([&] {
        auto* const object = new Object;
        object->destroyed.connect([&] { at.push_back(Clock::now() - begin); });
        object->deleteLater();
        EventLoop::current()->post([&] {
            EventLoop::current()->post([&] {
                at.push_back(Clock::now() - begin);
                follower.start(1s);
            });
        });
    });
    follower.timeout.connect([&] { at.push_back(Clock::now() - begin); });
    timer.start(1s);
    late.start(10s);
    clock.advance(11s);
    CHECK(at == std::vector<Clock::duration>{1s, 1s, 2s});
}

TEST_CASE("what is due in the end has run, and what is not has not") {
    ManualClock clock;
    int fired = 0;
    Timer timer;
    timer.timeout.connect([&] { ++fired; });
    timer.start(10s);
    clock.advance(9'999ms);
    CHECK(fired == 0);
    CHECK(timer.remainingTime() == 1ms);
    clock.advance(1ms);
    CHECK(fired == 1);
    clock.advance(0s);
    CHECK(fired == 1);
    clock.advance(-5s); // time does not go back
    CHECK(timer.remainingTime() == 10s);
}

TEST_CASE("what was skipped is late, and goes off once") {
    ManualClock clock;
    int fired = 0;
    Timer timer;
    timer.timeout.connect([&] { ++fired; });
    timer.start(1s);
    clock.skip(10s);
    CHECK(fired == 0);
    CHECK(timer.remainingTime() == 0ms);
    EventLoop::current()->processEvents();
    CHECK(fired == 1);
    CHECK(timer.remainingTime() == 1s);
}

TEST_CASE("a timer of 0 does not stop the time") {
    int fired = 0;
    Timer timer;
    timer.timeout.connect([&] { ++fired; });
    SUBCASE("that is advanced") {
        ManualClock clock;
        timer.start(0ms);
        clock.advance(100ms);
        CHECK(fired >= 100);
        CHECK(fired <= 102);
    }
    SUBCASE("that jumps") {
        const ManualClock clock(WhenIdle::Jump);
        Object context;
        Timer::singleShot(100ms, &context, [] { EventLoop::current()->quit(); });
        timer.start(0ms);
        EventLoop::current()->exec();
        CHECK(fired >= 100);
        CHECK(fired <= 102);
    }
    SUBCASE("nor does a task that posts itself over and over") {
        ManualClock clock;
        bool more = true;
        std::function<void()> again = [&] {
            if (more)
                EventLoop::current()->post([&] { again(); });
        };
        again();
        timer.start(1s);
        clock.advance(10s);
        CHECK(fired == 10);
        more = false;
        pumpIdle(2);
    }
}

TEST_CASE("time may be advanced and ended in a slot") {
    auto clock = std::make_unique<ManualClock>();
    std::string order;
    Timer a;
    Timer b;
    a.setSingleShot(true);
    b.setSingleShot(true);
    SUBCASE("advanced: others run inside") {
        a.timeout.connect([&] {
            order += '(';
            clock->advance(10s);
            order += ')';
        });
        b.timeout.connect([&] { order += 'b'; });
        a.start(1s);
        b.start(5s);
        clock->advance(2s);
        CHECK(order == "(b)");
    }
    SUBCASE("ended") {
        a.timeout.connect([&] { clock.reset(); });
        b.timeout.connect([&] { order += 'b'; });
        a.start(1s);
        b.start(5h);
        clock->advance(10h);
        CHECK(order.empty());
        CHECK(Clock::now() < RealClock::now() + 1s);
    }
}

TEST_CASE("time that stands still waits for descriptors and other threads, in real time") {
    const ManualClock clock;
    EventLoop& loop = *EventLoop::current();
    int fired = 0;
    Timer timer;
    timer.timeout.connect([&] { ++fired; });
    timer.start(1ms);
    const Pipe pipe;
    int told = 0;
    FdNotifier notifier(pipe.reader(), FdNotifier::Read);
    notifier.activated.connect([&](int) { told += static_cast<int>(pipe.drain()); });
    bool posted = false;
    std::thread other([&] {
        std::this_thread::sleep_for(5ms);
        pipe.put("x");
        loop.post([&] { posted = true; });
    });
    CHECK(pumpUntil([&] { return told == 1 && posted; }));
    other.join();
    const auto begin = RealClock::now();
    {
        TurnCounter turns(loop);
        CHECK_FALSE(loop.processEvents(20ms));
        CHECK(turns.turns() <= 3);
    }
    CHECK(RealClock::now() - begin >= 20ms);
    CHECK(fired == 0);
}

TEST_CASE("time that jumps waits where it has nowhere to go") {
    const ManualClock clock(WhenIdle::Jump);
    EventLoop& loop = *EventLoop::current();
    const auto begin = Clock::now();
    CHECK_FALSE(loop.processEvents(24h));
    CHECK(Clock::now() == begin + 24h);
    CHECK_FALSE(loop.processEvents());
    CHECK(Clock::now() == begin + 24h);
    std::thread other([&] {
        std::this_thread::sleep_for(5ms);
        loop.post([&] { loop.exit(3); });
    });
    CHECK(loop.exec() == 3);
    other.join();
    CHECK(Clock::now() == begin + 24h);
}

TEST_CASE("time ends where the clock does") {
    SUBCASE("advanced") {
        ManualClock clock;
        clock.advance(1h);
        clock.advance(Clock::duration::max());
        CHECK(Clock::now() == Clock::time_point::max());
        clock.advance(1ms);
        CHECK(Clock::now() == Clock::time_point::max());
    }
    SUBCASE("skipped") {
        ManualClock clock;
        clock.skip(1h);
        clock.skip(Clock::duration::max());
        CHECK(Clock::now() == Clock::time_point::max());
    }
    SUBCASE("repeated") {
        constexpr auto end = Clock::time_point::max();
        CHECK(Deadline::repeat(end, 1ms) == end);
        CHECK(Deadline::repeat(end, std::chrono::milliseconds::max()) == end);
        CHECK(Deadline::repeat(Clock::now(), std::chrono::milliseconds::max()) == end);
        CHECK(Deadline::repeat(Clock::now() - 1h, std::chrono::milliseconds::max()) == end);
    }
}

TEST_CASE("waits of others follow the clock") {
    const auto until = WaitClock::after(1h);
    CHECK(WaitClock::left(until) > 0ns);
    CHECK(WaitClock::left(until) <= 1h);
    CHECK_FALSE(WaitClock::isOver(until));
    CHECK(WaitClock::isOver(WaitClock::after(0ms)));
    CHECK(WaitClock::left(WaitClock::now() - 1h) == 0ns);
    CHECK(WaitClock::after(std::chrono::milliseconds::max()) == Clock::time_point::max());
    CHECK(WaitClock::after(-1ms) == Clock::time_point::max());
    {
        const ManualClock still;
        const auto real = WaitClock::after(20ms);
        CHECK_FALSE(WaitClock::isOver(until));
        CHECK(WaitClock::when(Clock::now() + 1ms) == Clock::time_point::max());
        const auto dueNow = WaitClock::when(Clock::now());
        CHECK(dueNow <= WaitClock::now());
        std::this_thread::sleep_for(20ms);
        CHECK(WaitClock::isOver(real));
    }
    {
        const ManualClock jumping(WhenIdle::Jump);
        const auto soon = WaitClock::after(1h);
        CHECK(WaitClock::when(soon) == soon);
        CHECK(WaitClock::left(soon) == 0ns);
        CHECK(WaitClock::isOver(soon));
        CHECK(Clock::now() == soon);
    }
}

TEST_CASE("in a host's loop the host's next turn runs what time has come to") {
    onFreshThread([] {
        uv_loop_t host{};
        CHECK(uv_loop_init(&host) == 0);
        uv_timer_t hosts{}; // something of the host's own that keeps its loop alive
        uv_timer_init(&host, &hosts);
        uv_timer_start(
            &hosts, [](uv_timer_t*) {}, 3'600'000, 0);
        {
            EventLoop loop(&host);
            ManualClock clock;
            int fired = 0;
            Timer timer;
            timer.timeout.connect([&] { ++fired; });
            timer.start(1min);
            uv_run(&host, UV_RUN_NOWAIT);
            clock.advance(59s);
            uv_run(&host, UV_RUN_NOWAIT);
            CHECK(fired == 0);
            clock.advance(1s);
            uv_run(&host, UV_RUN_NOWAIT);
            CHECK(fired == 1);
            clock.skip(1h);
            uv_run(&host, UV_RUN_NOWAIT);
            CHECK(fired == 2);
        }
        uv_close(reinterpret_cast<uv_handle_t*>(&hosts), nullptr);
        uv_run(&host, UV_RUN_NOWAIT);
        CHECK(uv_loop_close(&host) == 0);
    });
}

TEST_CASE("a foreign loop is not told to come back for timers that only a test brings on") {
    onFreshThread([] {
        EventLoop& loop = *EventLoop::current();
        ManualClock clock;
        Timer timer;
        timer.start(1s);
        loop.processEvents();
        CHECK_FALSE(loop.backendTimeout().has_value());
        clock.skip(1s);
        CHECK(loop.backendTimeout() == 0ms);
    });
}
