#include <halyard/core/event_loop.h>

#include <halyard/core/fd_notifier.h>
#include <halyard/core/object.h>
#include <halyard/core/timer.h>

#include "fresh_thread.h"
#include "pipe.h"
#include "turn_counter.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <poll.h>
#include <pump.h>
#include <uv.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

namespace {

static_assert(!std::is_copy_constructible_v<EventLoop> && !std::is_copy_assignable_v<EventLoop>);
static_assert(!std::is_move_constructible_v<EventLoop> && !std::is_move_assignable_v<EventLoop>);
static_assert(std::is_default_constructible_v<EventLoop>);
static_assert(std::is_constructible_v<EventLoop, uv_loop_s*> && !std::is_convertible_v<uv_loop_s*, EventLoop>);
static_assert(std::is_base_of_v<Tracked, EventLoop> && !std::is_base_of_v<Object, EventLoop>);
static_assert(std::is_same_v<decltype(EventLoop::current()), EventLoop*>);
static_assert(std::is_same_v<decltype(std::declval<EventLoop&>().exec()), int>);
static_assert(std::is_same_v<decltype(std::declval<const EventLoop&>().backendTimeout()),
                             std::optional<std::chrono::milliseconds>>);
static_assert(noexcept(std::declval<const EventLoop&>().uvLoop()));
static_assert(noexcept(std::declval<const EventLoop&>().backendFd()));

/// Waits as a foreign loop does, then lets ours run. False when patience is over.
template <class Condition>
bool driveUntil(EventLoop& loop, Condition condition, int& turns) {
    const auto end = SteadyClock::now() + patience();
    while (!condition()) {
        if (SteadyClock::now() >= end)
            return false;
        const auto timeout = loop.backendTimeout();
        pollfd backend{loop.backendFd(), POLLIN, 0};
        ::poll(&backend, 1, timeout ? static_cast<int>(timeout->count()) : static_cast<int>(patience().count()));
        loop.processEvents();
        ++turns;
    }
    return true;
}

} // namespace

// --- which loop ---

TEST_CASE("a thread has one loop, made by the first call") {
    onFreshThread([] {
        EventLoop* const loop = EventLoop::current();
        CHECK(loop != nullptr);
        CHECK(EventLoop::current() == loop);
        const Object object;
        CHECK(object.loop() == loop);
        EventLoop* other = nullptr;
        onFreshThread([&] { other = EventLoop::current(); });
        CHECK(other != loop);
    });
}

TEST_CASE("the first loop that is made by hand is the thread's until it ends") {
    onFreshThread([] {
        Object object;
        {
            EventLoop loop;
            CHECK(EventLoop::current() == &loop);
            CHECK(Object().loop() == &loop);
        }
        CHECK(EventLoop::current() != nullptr);
        CHECK(object.loop() == EventLoop::current());
    });
}

TEST_CASE("objects made before the loop by hand live in that loop") {
    onFreshThread([] {
        Object object;
        Timer timer;
        int fired = 0;
        timer.timeout.connect(&object, [&] {
            ++fired;
            EventLoop::current()->exit(3);
        });
        timer.start(1ms);
        EventLoop* const implicit = EventLoop::current();
        implicit->post([&] { ++fired; });
        EventLoop loop;
        CHECK(EventLoop::current() == &loop);
        CHECK(object.loop() == &loop);
        CHECK(loop.exec() == 3);
        CHECK(fired == 2);
    });
}

TEST_CASE("objects outlive the loop by hand and go on in the one that comes after it") {
    onFreshThread([] {
        auto loop = std::make_unique<EventLoop>();
        Timer timer;
        int fired = 0;
        timer.timeout.connect([&] { ++fired; });
        timer.start(1ms);
        CHECK(pumpUntil([&] { return fired == 1; }));
        loop.reset();
        CHECK(pumpUntil([&] { return fired == 3; }));
        loop = std::make_unique<EventLoop>();
        CHECK(timer.loop() == loop.get());
        CHECK(pumpUntil([&] { return fired == 5; }));
    });
}

TEST_CASE("a second loop of a thread runs only what is posted to it") {
    onFreshThread([] {
        EventLoop first;
        EventLoop second;
        CHECK(EventLoop::current() == &first);
        CHECK(Object().loop() == &first);
        CHECK(first.uvLoop() != second.uvLoop());

        std::string order;
        Timer timer;
        timer.timeout.connect([&] { order += 't'; });
        timer.start(0ms);
        first.post([&] { order += 'a'; });
        second.post([&] {
            order += 'b';
            second.exit(2);
        });
        CHECK(second.exec() == 2);
        CHECK(order == "b");
        first.post([&] { first.quit(); });
        CHECK(first.exec() == 0);
        CHECK(order == "bat");
    });
}

TEST_CASE("loops of one thread nest, and each exec ends by its own exit") {
    onFreshThread([] {
        EventLoop outer;
        EventLoop inner;
        std::vector<int> codes;
        outer.post([&] {
            inner.post([&] {
                outer.exit(1);
                inner.post([&] { inner.exit(2); });
            });
            codes.push_back(inner.exec());
        });
        codes.push_back(outer.exec());
        CHECK(codes == std::vector{2, 1});
    });
}

TEST_CASE("a loop that ends drops what was posted to it") {
    const auto counted = std::make_shared<int>();
    onFreshThread([&] {
        EventLoop first;
        {
            EventLoop second;
            second.post([counted] { ++*counted; });
            CHECK(counted.use_count() == 2);
        }
        CHECK(counted.use_count() == 1);
        first.post([counted] { ++*counted; });
    });
    CHECK(counted.use_count() == 1);
    CHECK(*counted == 0);
}

TEST_CASE("a loop that ends while handles of others are open says so") {
    static uv_timer_t others; // by which the loop is still reached
    onFreshThread([] {
        EventLoop first;
        auto second = std::make_unique<EventLoop>();
        uv_loop_s* const uv = second->uvLoop();
        uv_timer_init(uv, &others);
        Logged logged;
        second.reset();
        CHECK(logged.linesWith("handles of others") == 1);
        uv_close(reinterpret_cast<uv_handle_t*>(&others), nullptr);
        uv_run(uv, UV_RUN_NOWAIT);
        CHECK(uv_loop_close(uv) == 0);
    });
}

TEST_CASE("handles of others run in our turns") {
    onFreshThread([] {
        EventLoop loop;
        uv_timer_t theirs;
        uv_timer_init(loop.uvLoop(), &theirs);
        theirs.data = &loop;
        uv_timer_start(
            &theirs,
            [](uv_timer_t* handle) {
                static_cast<EventLoop*>(handle->data)->exit(4);
                uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
            },
            5, 0);
        CHECK(loop.exec() == 4);
        loop.processEvents();
    });
}

TEST_CASE("a handle of others that is started in a slot is heard of, and what its callback brings about") {
    onFreshThread([] {
        EventLoop loop;
        const Pipe pipe;
        CHECK(pipe.put("x"));
        uv_poll_t theirs;
        uv_poll_init(loop.uvLoop(), &theirs, pipe.reader());
        theirs.data = &loop;
        loop.post([&] {
            uv_poll_start(&theirs, UV_READABLE, [](uv_poll_t* handle, int, int) {
                static_cast<EventLoop*>(handle->data)->exit(5);
                uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
            });
        });
        CHECK(loop.exec() == 5);
        loop.processEvents();
    });
}

// --- exec and exit ---

TEST_CASE("exit before exec is ignored") {
    EventLoop& loop = *EventLoop::current();
    loop.exit(7);
    loop.quit();
    loop.post([&] { loop.exit(3); });
    CHECK(loop.exec() == 3);
}

TEST_CASE("the last exit of a turn wins, and exec may be called again") {
    EventLoop& loop = *EventLoop::current();
    loop.post([&] {
        loop.exit(1);
        loop.exit(2);
    });
    CHECK(loop.exec() == 2);
    loop.post([&] { loop.quit(); });
    CHECK(loop.exec() == 0);
    for (int i = 0; i != 100; ++i) {
        loop.post([&loop, i] { loop.exit(i); });
        CHECK(loop.exec() == i);
    }
}

TEST_CASE("exit lets the turn come to its end") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    loop.post([&] {
        loop.exit(1);
        order += 'a';
        loop.post([&] { order += 'x'; });
    });
    loop.post([&] { order += 'b'; });
    CHECK(loop.exec() == 1);
    CHECK(order == "ab");
    CHECK(loop.processEvents());
    CHECK(order == "abx");
}

TEST_CASE("a task may delete the loop that runs it") {
    Logged logged;
    enum class Way { Exec, NestedExec, ProcessEvents };
    const auto check = [](bool isSecond, bool quits, Way way) {
        CAPTURE(isSecond);
        CAPTURE(quits);
        CAPTURE(static_cast<int>(way));
        const auto first = isSecond ? std::make_unique<EventLoop>() : nullptr;
        auto loop = std::make_unique<EventLoop>();
        EventLoop& its = *loop;
        int told = 0;
        loop->aboutToQuit.connect([&] { ++told; });
        if (way == Way::NestedExec)
            loop->post([&its] { its.exec(); });
        loop->post([&] {
            if (quits)
                loop->quit();
            loop.reset();
        });
        if (way == Way::ProcessEvents)
            CHECK(its.processEvents(-1ms));
        else
            CHECK(its.exec() == 0);
        CHECK(loop == nullptr);
        CHECK(told == 0);
    };
    for (const bool isSecond : {false, true})
        for (const bool quits : {false, true})
            for (const Way way : {Way::Exec, Way::NestedExec, Way::ProcessEvents})
                onFreshThread([&] { check(isSecond, quits, way); });
    CHECK(logged.lines().empty());
}

TEST_CASE("exec nests, and exit ends the innermost") {
    EventLoop& loop = *EventLoop::current();
    std::vector<int> codes;
    loop.post([&] {
        loop.post([&] {
            loop.post([&] { loop.exit(3); });
            codes.push_back(loop.exec());
            loop.exit(2);
        });
        codes.push_back(loop.exec());
        loop.exit(1);
    });
    codes.push_back(loop.exec());
    CHECK(codes == std::vector{3, 2, 1});
}

TEST_CASE("an exec that is to end waits for the nested one in its slot") {
    EventLoop& loop = *EventLoop::current();
    std::vector<int> codes;
    loop.post([&] {
        loop.exit(5);
        loop.post([&] { loop.exit(6); });
        codes.push_back(loop.exec());
    });
    codes.push_back(loop.exec());
    CHECK(codes == std::vector{6, 5});
}

TEST_CASE("aboutToQuit is emitted once, by the outermost exec") {
    EventLoop& loop = *EventLoop::current();
    int emitted = 0;
    std::string order;
    const ScopedConnection counting = loop.aboutToQuit.connect([&] {
        ++emitted;
        // A slot may do anything: run the loop again, for one.
        loop.post([&] {
            order += 'p';
            loop.quit();
        });
        loop.exec();
    });
    loop.post([&] {
        loop.post([&] { loop.quit(); });
        loop.exec();
        CHECK(emitted == 0);
        loop.exit(9);
    });
    CHECK(loop.exec() == 9);
    CHECK(emitted == 1);
    CHECK(order == "p");
}

TEST_CASE("exec on a foreign thread is refused with a sentence") {
    EventLoop& loop = *EventLoop::current();
    Logged logged;
    onFreshThread([&] {
        CHECK(loop.exec() == -1);
        CHECK_FALSE(loop.processEvents());
    });
    CHECK(logged.linesWith("belongs to another thread") == 2);
}

// --- turns ---

TEST_CASE("processEvents says whether anything ran") {
    EventLoop& loop = *EventLoop::current();
    pumpIdle();
    CHECK_FALSE(loop.processEvents());
    loop.post([] {});
    CHECK(loop.processEvents());
    CHECK_FALSE(loop.processEvents());
    Timer timer;
    timer.setSingleShot(true);
    timer.start(0ms);
    CHECK(loop.processEvents());
    CHECK_FALSE(loop.processEvents());
    (new Object)->deleteLater();
    CHECK(loop.processEvents());
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("processEvents waits as long as asked and no longer") {
    EventLoop& loop = *EventLoop::current();
    pumpIdle();
    const auto begin = SteadyClock::now();
    CHECK_FALSE(loop.processEvents(20ms));
    const auto waited = SteadyClock::now() - begin;
    CHECK(waited >= 20ms);
    CHECK(waited < patience(5s));
}

TEST_CASE("processEvents comes back for the first thing that ran") {
    EventLoop& loop = *EventLoop::current();
    Timer timer;
    timer.setSingleShot(true);
    timer.start(10ms);
    CHECK(loop.processEvents(patience()));
    CHECK_FALSE(timer.isActive());
    timer.start(10ms);
    CHECK(loop.processEvents(-1ms));
    CHECK_FALSE(timer.isActive());
    timer.start(10ms);
    CHECK(loop.processEvents(std::chrono::milliseconds::max()));
    CHECK_FALSE(timer.isActive());
}

TEST_CASE("a wait that was cut short leaves no alarm behind") {
    EventLoop& loop = *EventLoop::current();
    loop.post([] {});
    CHECK(loop.processEvents(20ms));
    Timer end;
    end.setSingleShot(true);
    end.timeout.connect([&] { loop.quit(); });
    end.start(60ms);
    TurnCounter counter(loop);
    loop.exec();
    CHECK(counter.turns() <= 4);
}

TEST_CASE("what is posted in a turn waits for the next") {
    EventLoop& loop = *EventLoop::current();
    int runs = 0;
    struct Again {
        EventLoop& loop;
        int& runs;
        void operator()() const {
            if (++runs != 5)
                loop.post(*this);
        }
    };
    loop.post(Again{loop, runs});
    for (int turn = 1; turn <= 5; ++turn) {
        CHECK(loop.processEvents());
        CHECK(runs == turn);
    }
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("a turn runs what was posted, in order, before what is due") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    Timer timer;
    timer.setSingleShot(true);
    timer.timeout.connect([&] { order += 't'; });
    timer.start(0ms);
    for (char c = '1'; c != '5'; ++c)
        loop.post([&order, c] { order += c; });
    loop.processEvents();
    CHECK(order == "1234t");
}

TEST_CASE("a task may be something that only moves, and dies once it has run") {
    EventLoop& loop = *EventLoop::current();
    auto owned = std::make_unique<int>(4);
    const auto counted = std::make_shared<int>();
    loop.post([owned = std::move(owned), counted] { *counted = *owned; });
    CHECK(counted.use_count() == 2);
    CHECK(loop.processEvents());
    CHECK(*counted == 4);
    CHECK(counted.use_count() == 1);
}

TEST_CASE("a nested loop runs what the outer turn had gathered") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    SUBCASE("tasks") {
        loop.post([&] {
            order += 'a';
            loop.processEvents();
            order += 'A';
        });
        loop.post([&] { order += 'b'; });
        loop.post([&] { order += 'c'; });
        loop.processEvents();
        CHECK(order == "abcA");
    }
    SUBCASE("due timers") {
        Timer a;
        Timer b;
        for (Timer* each : {&a, &b}) {
            each->setSingleShot(true);
            each->start(0ms);
        }
        a.timeout.connect([&] {
            order += 'a';
            loop.processEvents();
            order += 'A';
        });
        b.timeout.connect([&] { order += 'b'; });
        loop.processEvents();
        CHECK(order == "abA");
    }
    SUBCASE("what the task had posted, too") {
        loop.post([&] {
            loop.post([&] { order += 'n'; });
            loop.processEvents();
            order += 'A';
        });
        loop.post([&] { order += 'b'; });
        loop.processEvents();
        CHECK(order == "bnA");
    }
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("nothing starves") {
    EventLoop& loop = *EventLoop::current();
    constexpr int turns = 500;
    int tasks = 0;
    int timers[2] = {};
    int readable = 0;
    int late = 0;
    bool done = false;
    struct Again {
        EventLoop& loop;
        int& tasks;
        bool& done;
        void operator()() const {
            ++tasks;
            if (!done)
                loop.post(*this);
        }
    };
    loop.post(Again{loop, tasks, done});
    loop.post(Again{loop, tasks, done});
    Timer zero[2];
    for (int i = 0; i != 2; ++i) {
        zero[i].timeout.connect([&timers, i] { ++timers[i]; });
        zero[i].start(0ms);
    }
    Timer slow;
    slow.timeout.connect([&] { ++late; });
    slow.start(1ms);
    Pipe pipe;
    REQUIRE(pipe.put("x"));
    FdNotifier notifier(pipe.reader(), FdNotifier::Read);
    notifier.activated.connect([&](int) { ++readable; });
    for (int i = 0; i != turns; ++i)
        CHECK(loop.processEvents());
    CHECK(tasks == 2 * turns);
    CHECK(timers[0] == turns);
    CHECK(timers[1] == turns);
    CHECK(readable == turns);
    CHECK(pumpUntil([&] { return late >= 2; }));
    done = true;
    pumpIdle();
}

// --- exceptions ---

TEST_CASE("an exception leaves exec, and the next turn runs the rest") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    Object* const object = new Object;
    object->destroyed.connect([&] { order += 'd'; });
    Timer first;
    Timer second;
    for (Timer* each : {&first, &second}) {
        each->setSingleShot(true);
        each->start(0ms);
    }
    second.timeout.connect([&] { order += 't'; });

    SUBCASE("of a task") {
        first.timeout.connect([&] { order += 's'; });
        loop.post([&] { order += 'a'; });
        loop.post([&] {
            object->deleteLater();
            throw std::runtime_error("task");
        });
        loop.post([&] { order += 'b'; });
        CHECK_THROWS_WITH_AS(loop.exec(), "task", std::runtime_error);
        CHECK(order == "a");
        CHECK(loop.processEvents());
        CHECK(order == "abstd");
    }
    SUBCASE("of a timer's slot") {
        first.timeout.connect([&] {
            object->deleteLater();
            throw std::runtime_error("slot");
        });
        loop.post([&] { order += 'a'; });
        CHECK_THROWS_WITH_AS(loop.exec(), "slot", std::runtime_error);
        CHECK(order == "a");
        CHECK(loop.processEvents());
        CHECK(order == "atd");
    }
    SUBCASE("of a notifier's slot") {
        first.timeout.connect([&] { order += 's'; });
        Pipe pipe;
        REQUIRE(pipe.put("x"));
        FdNotifier notifier(pipe.reader(), FdNotifier::Read);
        notifier.activated.connect([&](int) {
            pipe.drain();
            object->deleteLater();
            throw std::runtime_error("notifier");
        });
        CHECK_THROWS_WITH_AS(loop.exec(), "notifier", std::runtime_error);
        CHECK(order.empty());
        CHECK(loop.processEvents());
        CHECK(order == "std");
        CHECK(notifier.isEnabled());
    }
    CHECK_FALSE(loop.processEvents());
    loop.exit(8); // no exec runs any more
    loop.post([&] { loop.exit(1); });
    CHECK(loop.exec() == 1);
}

TEST_CASE("an exception leaves nested loops one by one, until one catches it") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    bool caughtInside = false;
    const auto deep = [&] {
        loop.post([] { throw std::runtime_error("deep"); });
        loop.post([&] { order += 'r'; });
        if (!caughtInside) {
            loop.exec();
            return;
        }
        try {
            loop.exec();
        } catch (const std::runtime_error&) {
            order += 'c';
        }
        loop.exit(4);
    };
    loop.post(deep);
    CHECK_THROWS_WITH_AS(loop.exec(), "deep", std::runtime_error);
    CHECK(order.empty());
    CHECK(loop.processEvents());
    CHECK(order == "r");
    caughtInside = true;
    loop.post(deep);
    CHECK(loop.exec() == 4);
    pumpIdle();
    CHECK(order == "rcr");
}

// --- sleeping ---

TEST_CASE("a loop that has nothing to do sleeps") {
    EventLoop& loop = *EventLoop::current();
    pumpIdle();
    Timer end;
    end.setSingleShot(true);
    end.timeout.connect([&] { loop.quit(); });
    end.start(100ms);
    Timer beat;
    int beats = 0;
    beat.timeout.connect([&] { ++beats; });
    SUBCASE("with one timer far away") {
        TurnCounter counter(loop);
        loop.exec();
        CHECK(counter.turns() <= 4);
    }
    SUBCASE("with a timer that beats") {
        beat.start(10ms);
        TurnCounter counter(loop);
        loop.exec();
        CHECK(beats >= 1);
        CHECK(counter.turns() <= 2 * beats + 4);
    }
    SUBCASE("with a notifier whose descriptor is silent") {
        Pipe pipe;
        FdNotifier notifier(pipe.reader(), FdNotifier::Read);
        TurnCounter counter(loop);
        loop.exec();
        CHECK(counter.turns() <= 4);
    }
    SUBCASE("in a nested loop whose outer turn has an object to delete") {
        int turns = 0;
        Object* const object = new Object;
        loop.post([&] {
            object->deleteLater();
            TurnCounter counter(loop);
            loop.exec();
            turns = counter.turns();
            loop.quit();
        });
        loop.exec();
        CHECK(turns <= 4);
    }
}

// --- driven by a foreign loop ---

TEST_CASE("backendTimeout says how long a foreign loop may sleep") {
    onFreshThread([] {
        EventLoop loop;
        CHECK(loop.backendFd() >= 0);
        loop.processEvents(); // the first turn puts into the descriptor what wakes it
        CHECK_FALSE(loop.backendTimeout().has_value());
        loop.post([] {});
        CHECK(loop.backendTimeout() == 0ms);
        loop.processEvents();
        CHECK_FALSE(loop.backendTimeout().has_value());
        Timer timer;
        timer.start(10s);
        CHECK(loop.backendTimeout() > 5s);
        CHECK(loop.backendTimeout() <= 10s);
        timer.start(0ms);
        CHECK(loop.backendTimeout() == 0ms);
        timer.stop();
        CHECK_FALSE(loop.backendTimeout().has_value());
        (new Object)->deleteLater();
        CHECK(loop.backendTimeout() == 0ms);
        loop.processEvents();
        CHECK_FALSE(loop.backendTimeout().has_value());
        loop.processEvents(1ms); // whose end is no deadline of anybody afterwards
        CHECK_FALSE(loop.backendTimeout().has_value());
    });
}

TEST_CASE("a foreign loop that polls the descriptor drives ours") {
    onFreshThread([] {
        EventLoop loop;
        int turns = 0;
        SUBCASE("timers") {
            int fired = 0;
            Timer timer;
            timer.timeout.connect([&] { ++fired; });
            timer.start(10ms);
            const auto begin = SteadyClock::now();
            CHECK(driveUntil(
                loop, [&] { return fired == 5; }, turns));
            CHECK(SteadyClock::now() - begin >= 50ms);
            CHECK(turns <= 15);
        }
        SUBCASE("tasks of this thread and of others") {
            int ran = 0;
            loop.post([&] { ++ran; });
            CHECK(driveUntil(
                loop, [&] { return ran == 1; }, turns));
            CHECK(turns == 1);
            std::thread other([&] {
                for (int i = 0; i != 10; ++i) {
                    std::this_thread::sleep_for(2ms); // so that most of them find it asleep
                    loop.post([&] { ++ran; });
                }
            });
            CHECK(driveUntil(
                loop, [&] { return ran == 11; }, turns));
            other.join();
            CHECK(turns <= 25);
        }
        SUBCASE("descriptors") {
            Pipe pipe;
            std::size_t got = 0;
            FdNotifier notifier(pipe.reader(), FdNotifier::Read);
            notifier.activated.connect([&](int) { got += pipe.drain(); });
            std::thread other([&] {
                for (int i = 0; i != 5; ++i) {
                    std::this_thread::sleep_for(2ms); // so that most of them find it asleep
                    CHECK(pipe.put("x"));
                }
            });
            CHECK(driveUntil(
                loop, [&] { return got == 5; }, turns));
            other.join();
            CHECK(turns <= 12);
        }
    });
}

TEST_CASE("a static loop may outlive the main thread") {
    static EventLoop outliving;
    outliving.post([] { CHECK(EventLoop::current() != nullptr); });
    CHECK(outliving.processEvents());
}
