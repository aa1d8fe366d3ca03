#include <halyard/core/deadline.h>

#include <halyard/core/event_loop.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<Deadline> && !std::is_move_constructible_v<Deadline>);
static_assert(!std::is_default_constructible_v<Deadline>, "only who derives from it has one");
static_assert(Clock::is_steady);
static_assert(noexcept(std::declval<Deadline&>().disarm()));
static_assert(noexcept(std::declval<const Deadline&>().isArmed()));

struct Bell final : Deadline {
    explicit Bell(std::function<void()> rings) : ring(std::move(rings)) {}
    void dispatch() override { ring(); }
    std::function<void()> ring;
};

} // namespace

TEST_CASE("a deadline goes off once, and not before its time") {
    int rung = 0;
    Clock::time_point at;
    Bell bell([&] {
        ++rung;
        at = Clock::now();
    });
    CHECK_FALSE(bell.isArmed());
    const auto when = Clock::now() + 5500us;
    bell.arm(when);
    CHECK(bell.isArmed());
    CHECK(bell.when() == when);
    CHECK(pumpUntil([&] { return rung != 0; }));
    CHECK(at >= when);
    CHECK_FALSE(bell.isArmed());
    pumpIdle();
    CHECK(rung == 1);
}

TEST_CASE("a deadline in the past goes off in the next turn, not in the one that arms it") {
    int rung = 0;
    Bell bell([&] {
        if (++rung != 3)
            bell.arm(Clock::now() - 1h);
    });
    EventLoop& loop = *EventLoop::current();
    loop.post([&] { bell.arm(Clock::time_point::min()); });
    CHECK(loop.processEvents());
    CHECK(rung == 0);
    for (int turn = 1; turn <= 3; ++turn) {
        CHECK(loop.processEvents());
        CHECK(rung == turn);
    }
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("deadlines go off in the order of their time, equal ones in the order of arming") {
    std::string order;
    Bell a([&] { order += 'a'; });
    Bell b([&] { order += 'b'; });
    Bell c([&] { order += 'c'; });
    Bell d([&] { order += 'd'; });
    const auto when = Clock::now();
    a.arm(when);
    b.arm(when);
    c.arm(when - 1us);
    d.arm(when);
    a.arm(when); // behind the others now
    EventLoop::current()->processEvents();
    CHECK(order == "cbda");
}

TEST_CASE("what is due in the same turn can still be called off, put off or deleted") {
    std::string order;
    auto second = std::make_unique<Bell>([&] { order += 's'; });
    std::function<void()> change;
    Bell first([&] {
        order += 'f';
        change();
    });
    first.arm(Clock::now() - 1ms);
    second->arm(Clock::now());
    SUBCASE("called off") {
        change = [&] { second->disarm(); };
    }
    SUBCASE("put off") {
        change = [&] { second->arm(Clock::now() + 1h); };
    }
    SUBCASE("deleted") {
        change = [&] { second.reset(); };
    }
    EventLoop::current()->processEvents();
    CHECK(order == "f");
    pumpIdle();
    CHECK(order == "f");
}

TEST_CASE("a deadline may be deleted by what it calls") {
    Bell* bell = nullptr;
    int rung = 0;
    bell = new Bell([&] {
        ++rung;
        int& counted = rung;
        delete std::exchange(bell, nullptr); // and the function with it
        ++counted;
    });
    bell->arm(Clock::now());
    CHECK(pumpUntil([&] { return rung == 2; }));
}

TEST_CASE("deadlines go off as a sorted list says, whatever was armed and disarmed in between") {
    std::mt19937 random(20240517);
    const auto upTo = [&](std::uint32_t limit) { return static_cast<std::size_t>(random() % limit); };
    constexpr std::size_t count = 1000;
    std::vector<std::size_t> rung;
    std::vector<std::unique_ptr<Bell>> bells(count);
    const auto make = [&](std::size_t i) { bells[i] = std::make_unique<Bell>([&rung, i] { rung.push_back(i); }); };
    for (std::size_t i = 0; i != count; ++i)
        make(i);

    using Key = std::pair<Clock::time_point, std::uint64_t>;
    std::map<Key, std::size_t> model;
    std::vector<Key> keys(count);
    std::uint64_t armings = 0;
    const auto forget = [&](std::size_t i) { model.erase(keys[i]); };

    const auto begin = Clock::now() - 1s;
    const auto farAway = Clock::now() + 1h;
    std::size_t checked = 0;
    for (int operation = 0; operation != 100'000; ++operation) {
        const std::size_t i = upTo(count);
        const std::size_t what = upTo(100);
        if (what < 70) {
            // Few different times, so that many are equal; one in four is not due.
            const auto when = (what % 4 == 0 ? farAway : begin) + std::chrono::microseconds(upTo(300));
            forget(i);
            keys[i] = {when, ++armings};
            model.emplace(keys[i], i);
            bells[i]->arm(when);
        } else if (what < 95) {
            forget(i);
            bells[i]->disarm();
            CHECK_FALSE(bells[i]->isArmed());
        } else {
            forget(i);
            make(i);
        }
        if (upTo(700) == 0) {
            std::vector<std::size_t> expected;
            while (!model.empty() && model.begin()->first.first < farAway) {
                expected.push_back(model.begin()->second);
                model.erase(model.begin());
            }
            rung.clear();
            EventLoop::current()->processEvents();
            REQUIRE(rung == expected);
            checked += rung.size();
        }
    }
    CHECK(checked > 10'000);
    const auto armed = std::count_if(bells.begin(), bells.end(), [](const auto& each) { return each->isArmed(); });
    CHECK(static_cast<std::size_t>(armed) == model.size());
}
