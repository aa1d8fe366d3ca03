#include <halyard/core/timer.h>

#include <halyard/core/event_loop.h>

#include "fresh_thread.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

namespace {

static_assert(std::is_base_of_v<Object, Timer>);
static_assert(!std::is_copy_constructible_v<Timer> && !std::is_move_constructible_v<Timer>);
static_assert(std::is_constructible_v<Timer, Object*> && !std::is_convertible_v<Object*, Timer>);
static_assert(std::is_same_v<decltype(std::declval<Timer&>().start()), bool>);
static_assert(std::is_same_v<decltype(std::declval<Timer&>().start(1ms)), bool>);
static_assert(std::is_same_v<decltype(std::declval<Timer&>().setInterval(1ms)), bool>);
static_assert(noexcept(std::declval<Timer&>().stop()));

/// Makes every timer that is due in `time` late: that is what it sleeps for.
void makeLate(Milliseconds time) { std::this_thread::sleep_for(time); }

struct Counter : Object {
    using Object::Object;
    void count() { ++counted; }
    int counted = 0;
};

} // namespace

TEST_CASE("a fresh timer is idle") {
    const Timer timer;
    CHECK_FALSE(timer.isActive());
    CHECK_FALSE(timer.isSingleShot());
    CHECK(timer.interval() == 0ms);
    CHECK(timer.remainingTime() == -1ms);
    CHECK(timer.parent() == nullptr);
    const Timer child(const_cast<Timer*>(&timer));
    CHECK(child.parent() == &timer);
}

TEST_CASE("a timer is never early") {
    std::vector<SteadyClock::duration> early;
    constexpr int count = 40;
    int fired = 0;
    std::vector<std::unique_ptr<Timer>> timers;
    for (int i = 0; i != count; ++i) {
        Timer& timer = *timers.emplace_back(std::make_unique<Timer>());
        timer.setSingleShot(true);
        const auto due = SteadyClock::now() + Milliseconds(i % 10);
        timer.timeout.connect([&, due] {
            ++fired;
            if (SteadyClock::now() < due)
                early.push_back(due - SteadyClock::now());
        });
        timer.start(Milliseconds(i % 10));
    }
    CHECK(pumpUntil([&] { return fired == count; }));
    CHECK(early.empty());
}

TEST_CASE("a repeating timer keeps its beat") {
    Timer timer;
    int fired = 0;
    timer.timeout.connect([&] { ++fired; });
    const auto begin = SteadyClock::now();
    CHECK(timer.start(5ms));
    CHECK(timer.isActive());
    CHECK(timer.interval() == 5ms);
    CHECK(timer.remainingTime() <= 5ms);
    CHECK(pumpUntil([&] { return fired == 6; }));
    CHECK(SteadyClock::now() - begin >= 30ms);
    timer.stop();
    CHECK_FALSE(timer.isActive());
    CHECK(timer.remainingTime() == -1ms);
    pumpIdle();
    CHECK(fired == 6);
}

TEST_CASE("a late timer goes off once and does not catch up") {
    Timer timer;
    int fired = 0;
    timer.timeout.connect([&] { ++fired; });
    timer.start(20ms);
    makeLate(130ms);
    CHECK(timer.remainingTime() == 0ms);
    const auto before = SteadyClock::now();
    EventLoop::current()->processEvents();
    CHECK(fired == 1);
    CHECK(pumpUntil([&] { return fired == 2; }));
    CHECK(SteadyClock::now() - before >= 20ms);
}

TEST_CASE("a single shot is inactive inside its slot and may be started again there") {
    Timer timer;
    timer.setSingleShot(true);
    CHECK(timer.isSingleShot());
    int fired = 0;
    timer.timeout.connect([&] {
        CHECK_FALSE(timer.isActive());
        CHECK(timer.remainingTime() == -1ms);
        if (++fired == 1)
            CHECK(timer.start(1ms));
    });
    timer.start(1ms);
    CHECK(pumpUntil([&] { return fired == 2; }));
    CHECK_FALSE(timer.isActive());
    pumpIdle();
    CHECK(fired == 2);
}

TEST_CASE("start restarts, with the interval it has or with another") {
    Timer timer;
    int fired = 0;
    timer.setSingleShot(true);
    timer.timeout.connect([&] { ++fired; });
    timer.start(1h);
    CHECK(timer.remainingTime() > 30min);
    CHECK(timer.remainingTime() <= 1h);
    CHECK(timer.start(5ms));
    CHECK(timer.remainingTime() <= 5ms);
    CHECK(pumpUntil([&] { return fired == 1; }));
    const auto begin = SteadyClock::now();
    CHECK(timer.start());
    CHECK(pumpUntil([&] { return fired == 2; }));
    CHECK(SteadyClock::now() - begin >= 5ms);
    timer.start(0ms);
    timer.start(1h); // takes back what was due
    pumpIdle();
    CHECK(fired == 2);
}

TEST_CASE("a new interval restarts an active timer and leaves an inactive one alone") {
    Timer timer;
    CHECK(timer.setInterval(5ms));
    CHECK_FALSE(timer.isActive());
    CHECK(timer.interval() == 5ms);
    int fired = 0;
    timer.timeout.connect([&] { ++fired; });
    timer.start(1h);
    CHECK(timer.setInterval(1ms));
    CHECK(timer.isActive());
    CHECK(pumpUntil([&] { return fired != 0; }));
    CHECK(timer.setInterval(1h));
    CHECK(timer.remainingTime() > 30min);
}

TEST_CASE("a negative interval is refused with a sentence") {
    Logged logged;
    Timer timer;
    CHECK_FALSE(timer.start(-1ms));
    CHECK_FALSE(timer.isActive());
    CHECK_FALSE(timer.setInterval(-1ms));
    CHECK(timer.interval() == 0ms);
    CHECK(logged.linesWith("negative") == 2);
    timer.start(1h);
    CHECK_FALSE(timer.start(-5ms));
    CHECK_FALSE(timer.setInterval(Milliseconds::min()));
    CHECK(timer.isActive());
    CHECK(timer.interval() == 1h);
    CHECK(logged.linesWith("negative") == 2);
}

TEST_CASE("an interval longer than the clock reaches is for ever, not now") {
    Timer timer;
    int fired = 0;
    timer.timeout.connect([&] { ++fired; });
    CHECK(timer.start(Milliseconds::max()));
    CHECK(timer.remainingTime() > std::chrono::hours(24 * 365 * 50));
    pumpIdle();
    CHECK(fired == 0);
    CHECK(timer.isActive());
}

TEST_CASE("a timer of 0 goes off once in every turn") {
    Timer timer;
    int fired = 0;
    timer.timeout.connect([&] { ++fired; });
    timer.start(0ms);
    for (int turn = 1; turn <= 10; ++turn) {
        EventLoop::current()->processEvents();
        CHECK(fired == turn);
    }
}

TEST_CASE("equal timers go off in the order of their start") {
    std::string order;
    Timer timers[6];
    for (int i = 0; i != 6; ++i) {
        timers[i].setSingleShot(true);
        timers[i].timeout.connect([&order, i] { order += static_cast<char>('0' + i); });
    }
    for (const int i : {3, 1, 5, 0, 4, 2})
        timers[i].start(0ms);
    EventLoop::current()->processEvents();
    CHECK(order == "315042");
}

TEST_CASE("a timer that is started in a slot waits for the next turn") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    Timer first;
    Timer second;
    first.setSingleShot(true);
    second.setSingleShot(true);
    first.timeout.connect([&] {
        order += '1';
        second.start(0ms);
    });
    second.timeout.connect([&] {
        order += '2';
        if (order.size() < 6)
            first.start(0ms);
    });
    first.start(0ms);
    for (std::size_t turn = 1; turn <= 6; ++turn) {
        loop.processEvents();
        CHECK(order.size() == turn);
    }
    CHECK(order == "121212");
}

TEST_CASE("timers that are due in the same turn may stop, start or delete each other and themselves") {
    std::string order;
    auto a = std::make_unique<Timer>();
    auto b = std::make_unique<Timer>();
    std::function<void()> change;
    a->timeout.connect([&] {
        order += 'a';
        change();
    });
    b->timeout.connect([&] { order += 'b'; });
    a->start(1ms);
    b->start(2ms);
    makeLate(5ms);
    SUBCASE("a stops b") {
        change = [&] { b->stop(); };
    }
    SUBCASE("a deletes b") {
        change = [&] { b.reset(); };
    }
    SUBCASE("a starts b again") {
        change = [&] { b->start(1h); };
    }
    SUBCASE("a deletes both, b first") {
        change = [&] {
            b.reset();
            a.reset();
        };
    }
    SUBCASE("a deletes both, itself first") {
        change = [&] {
            a.reset();
            b.reset();
        };
    }
    SUBCASE("a stops itself and b") {
        change = [&] {
            a->stop();
            b->stop();
            CHECK_FALSE(a->isActive());
        };
    }
    CHECK(EventLoop::current()->processEvents());
    CHECK(order == "a");
    if (a != nullptr)
        a->stop();
    EventLoop::current()->processEvents();
    CHECK(order == "a");
}

TEST_CASE("the rest of the emission is dropped where a slot deletes the timer") {
    auto* timer = new Timer;
    const Pointer<Timer> guard(timer);
    int after = 0;
    timer->timeout.connect([&] { delete timer; });
    timer->timeout.connect([&] { ++after; });
    timer->start(0ms);
    EventLoop::current()->processEvents();
    CHECK_FALSE(guard);
    CHECK(after == 0);
}

TEST_CASE("a timer does not go off again while its slot runs a nested loop, others do") {
    EventLoop& loop = *EventLoop::current();
    Timer timer;
    Timer other;
    int depth = 0;
    int fired = 0;
    int others = 0;
    timer.timeout.connect([&] {
        ++fired;
        CHECK(++depth == 1);
        const int before = others;
        CHECK(pumpUntil([&] { return others >= before + 3; }));
        --depth;
    });
    other.timeout.connect([&] { ++others; });
    timer.start(0ms);
    other.start(1ms);
    loop.processEvents();
    CHECK(fired == 1);
    loop.processEvents();
    CHECK(fired == 2);
}

TEST_CASE("a timer stopped or deleted by a nested loop in its slot stays so") {
    EventLoop& loop = *EventLoop::current();
    auto timer = std::make_unique<Timer>();
    int fired = 0;
    bool erase = false;
    timer->timeout.connect([&] {
        ++fired;
        loop.post([&] { erase ? timer.reset() : timer->stop(); });
        loop.processEvents();
    });
    SUBCASE("stopped") {}
    SUBCASE("deleted") { erase = true; }
    timer->start(0ms);
    loop.processEvents();
    pumpIdle();
    CHECK(fired == 1);
    CHECK((erase || !timer->isActive()));
}

TEST_CASE("a slot that throws does not end a repeating timer") {
    EventLoop& loop = *EventLoop::current();
    Timer timer;
    int fired = 0;
    timer.timeout.connect([&] {
        ++fired;
        throw 1;
    });
    timer.start(0ms);
    CHECK_THROWS_AS(loop.processEvents(), int);
    CHECK(timer.isActive());
    CHECK_THROWS_AS(loop.processEvents(), int);
    CHECK(fired == 2);
}

TEST_CASE("singleShot calls once, in the thread of its context, and leaves nothing behind") {
    Counter context;
    SUBCASE("a function") {
        Timer::singleShot(1ms, &context, [&] { context.count(); });
    }
    SUBCASE("a member") { Timer::singleShot(1ms, &context, &Counter::count); }
    SUBCASE("a function that throws") {
        Timer::singleShot(0ms, &context, [&] {
            context.count();
            throw 1;
        });
        CHECK_THROWS_AS(EventLoop::current()->processEvents(), int);
    }
    CHECK(pumpUntil([&] { return context.counted == 1; }));
    pumpIdle();
    CHECK(context.counted == 1);
    CHECK(context.children().empty());
}

TEST_CASE("singleShot is dropped when its context dies") {
    int called = 0;
    const auto alive = std::make_shared<int>();
    auto context = std::make_unique<Object>();
    Timer::singleShot(0ms, context.get(), [&called, alive] { ++called; });
    CHECK(alive.use_count() == 2);
    context.reset();
    CHECK(alive.use_count() == 1);
    pumpIdle();
    CHECK(called == 0);
}

TEST_CASE("singleShot may delete its context in its slot") {
    auto* context = new Object;
    const Pointer<Object> guard(context);
    Timer::singleShot(0ms, context, [&] { delete context; });
    EventLoop::current()->processEvents();
    CHECK_FALSE(guard);
}

TEST_CASE("singleShot takes what is tracked and no object, too") {
    struct Plain : Tracked {
        void call() { ++called; }
        int called = 0;
    };
    auto plain = std::make_unique<Plain>();
    Timer::singleShot(0ms, plain.get(), &Plain::call);
    EventLoop::current()->processEvents();
    CHECK(plain->called == 1);
    Timer::singleShot(0ms, plain.get(), &Plain::call);
    plain.reset();
    pumpIdle();
}

TEST_CASE("singleShot without context or with a negative time is refused with a sentence") {
    Logged logged;
    Object context;
    Timer::singleShot(0ms, static_cast<Object*>(nullptr), [] {});
    CHECK(logged.linesWith("receiver") == 1);
    Timer::singleShot(-1ms, &context, [] {});
    CHECK(logged.linesWith("negative") == 1);
}

TEST_CASE("singleShots of the same time come in the order of asking") {
    Object context;
    std::string order;
    for (char c = 'a'; c != 'f'; ++c)
        Timer::singleShot(0ms, &context, [&order, c] { order += c; });
    EventLoop::current()->processEvents();
    CHECK(order == "abcde");
}

TEST_CASE("a timer is neither started nor stopped nor changed from a foreign thread") {
    Logged logged;
    Timer timer;
    onFreshThread([&] {
        CHECK_FALSE(timer.start(1ms));
        CHECK_FALSE(timer.setInterval(1ms));
    });
    CHECK_FALSE(timer.isActive());
    CHECK(timer.interval() == 0ms);
    CHECK(logged.linesWith("thread") == 2);
    timer.start(1h);
    onFreshThread([&] { timer.stop(); });
    CHECK(timer.isActive());
    CHECK(logged.linesWith("Timer::stop(): the object lives on another thread") == 1);
}

TEST_CASE("thousands of timers, started, stopped and deleted at random, all do as they are told") {
    std::mt19937 random(7);
    struct Case {
        std::unique_ptr<Timer> timer = std::make_unique<Timer>();
        int fired = 0;
        int expected = 0;
    };
    std::vector<std::unique_ptr<Case>> cases;
    for (int i = 0; i != 5000; ++i) {
        Case& each = *cases.emplace_back(std::make_unique<Case>());
        each.timer->setSingleShot(true);
        each.timer->timeout.connect([&each] { ++each.fired; });
        each.timer->start(Milliseconds(random() % 20));
        each.expected = 1;
    }
    for (const auto& each : cases) {
        switch (random() % 4) {
        case 0:
            each->timer->stop();
            each->expected = 0;
            break;
        case 1:
            each->timer.reset();
            each->expected = 0;
            break;
        case 2:
            each->timer->start(Milliseconds(random() % 30));
            break;
        default:
            break;
        }
    }
    const auto allDone = [&] {
        for (const auto& each : cases)
            if (each->timer != nullptr && each->timer->isActive())
                return false;
        return true;
    };
    CHECK(pumpUntil(allDone));
    for (const auto& each : cases)
        REQUIRE(each->fired == each->expected);
}
