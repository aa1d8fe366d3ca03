#include <halyard/core/dispatchable.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/object.h>
#include <halyard/core/timer.h>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

using namespace halyard;
using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<Dispatchable> && !std::is_copy_assignable_v<Dispatchable>);
static_assert(!std::is_move_constructible_v<Dispatchable>);
static_assert(!std::is_constructible_v<Dispatchable>);
static_assert(sizeof(Dispatchable) <= 48, "it stands in sockets by the hundred thousand");
static_assert(!std::is_copy_constructible_v<DispatchScope> && !std::is_copy_assignable_v<DispatchScope>);

struct Step final : Dispatchable {
    explicit Step(std::function<void()> action) : run(std::move(action)) {}
    void dispatch() override { run(); }
    void slotReturned() override { returned(); }
    using Dispatchable::inDispatch;
    using Dispatchable::isScheduled;
    using Dispatchable::schedule;
    using Dispatchable::scheduleSlotReturned;
    using Dispatchable::unschedule;
    std::function<void()> run;
    std::function<void()> returned = [] {};
};

} // namespace

TEST_CASE("what is scheduled is called once, in the next turn, in the order of scheduling") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    Step a([&] { order += 'a'; });
    Step b([&] { order += 'b'; });
    b.schedule();
    a.schedule();
    b.schedule(); // stays where it is
    CHECK(a.isScheduled());
    CHECK(loop.processEvents());
    CHECK(order == "ba");
    CHECK_FALSE(a.isScheduled());
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("what is scheduled in a turn waits for the next") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    Step a([&] { order += 'a'; });
    SUBCASE("by a task") {
        loop.post([&] {
            order += 't';
            a.schedule();
        });
        CHECK(loop.processEvents());
        CHECK(order == "t");
        CHECK(loop.processEvents());
        CHECK(order == "ta");
    }
    SUBCASE("by another") {
        Step b([&] {
            order += 'b';
            a.schedule();
        });
        b.schedule();
        CHECK(loop.processEvents());
        CHECK(order == "b");
        CHECK(loop.processEvents());
        CHECK(order == "ba");
    }
    SUBCASE("by itself, however often") {
        int left = 1000;
        Step again([&] {
            if (--left != 0)
                again.schedule();
        });
        again.schedule();
        for (int turn = 1; turn <= 1000; ++turn) {
            CHECK(loop.processEvents());
            CHECK(left == 1000 - turn);
        }
    }
    SUBCASE("but not for the end of the slot, where that runs a loop") {
        loop.post([&] {
            a.schedule();
            loop.processEvents();
            CHECK(order == "a");
        });
        CHECK(loop.processEvents());
    }
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("what is scheduled may be taken back or deleted until it is called") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    auto first = std::make_unique<Step>([&] { order += '1'; });
    auto middle = std::make_unique<Step>([&] { order += '2'; });
    auto last = std::make_unique<Step>([&] { order += '3'; });
    std::function<void()> change;
    Step changing([&] { change(); });
    changing.schedule();
    first->schedule();
    middle->schedule();
    last->schedule();
    SUBCASE("the first") {
        change = [&] { first.reset(); };
        loop.processEvents();
        CHECK(order == "23");
    }
    SUBCASE("one in the middle") {
        change = [&] { middle->unschedule(); };
        loop.processEvents();
        CHECK(order == "13");
        CHECK_FALSE(middle->isScheduled());
    }
    SUBCASE("the last, and what comes then goes behind the others") {
        change = [&] {
            last.reset();
            changing.schedule();
            change = [&] { order += 'c'; };
        };
        loop.processEvents();
        CHECK(order == "12");
        loop.processEvents();
        CHECK(order == "12c");
    }
    SUBCASE("all of them") {
        change = [&] {
            middle.reset();
            first.reset();
            last.reset();
        };
        loop.processEvents();
        CHECK(order.empty());
    }
    SUBCASE("moved to the end") {
        change = [&] {
            first->unschedule();
            first->schedule();
        };
        loop.processEvents();
        CHECK(order == "23");
        loop.processEvents();
        CHECK(order == "231");
    }
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("slotReturned comes as soon as the running slot is over") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    Step step([] {});
    step.returned = [&] { order += 'r'; };
    const auto ask = [&] {
        CHECK(step.inDispatch());
        order += 'a';
        step.scheduleSlotReturned();
        step.scheduleSlotReturned();
        order += 'b';
    };
    CHECK_FALSE(step.inDispatch());
    SUBCASE("a task") {
        loop.post(ask);
        loop.post([&] { order += 'n'; });
        loop.processEvents();
        CHECK(order == "abrn");
    }
    SUBCASE("a timer") {
        Timer first;
        Timer second;
        for (Timer* each : {&first, &second}) {
            each->setSingleShot(true);
            each->start(0ms);
        }
        first.timeout.connect(ask);
        second.timeout.connect([&] { order += 'n'; });
        loop.processEvents();
        CHECK(order == "abrn");
    }
    SUBCASE("another's dispatch") {
        Step other(ask);
        Step next([&] { order += 'n'; });
        other.schedule();
        next.schedule();
        loop.processEvents();
        CHECK(order == "abrn");
    }
    SUBCASE("a dispatch that is no turn's") {
        {
            const DispatchScope scope;
            ask();
            CHECK(order == "ab");
        }
        CHECK(order == "abr");
    }
    SUBCASE("the slot of a nested loop") {
        loop.post([&] {
            loop.post(ask);
            loop.processEvents();
            order += 'n';
        });
        loop.processEvents();
        CHECK(order == "abrn");
    }
    SUBCASE("a slot that throws") {
        loop.post([&] {
            ask();
            throw 1;
        });
        CHECK_THROWS_AS(loop.processEvents(), int);
        CHECK(order == "abr");
    }
    SUBCASE("outside any slot: the next turn") {
        step.scheduleSlotReturned();
        loop.post([&] { order += 'n'; });
        CHECK(order.empty());
        loop.processEvents();
        CHECK(order == "rn");
    }
    CHECK_FALSE(step.inDispatch());
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("who waits for the slot to return may be deleted, or delete another one that waits") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    auto a = std::make_unique<Step>([] {});
    auto b = std::make_unique<Step>([] {});
    auto c = std::make_unique<Step>([] {});
    a->returned = [&] {
        order += 'a';
        c.reset();
    };
    b->returned = [&] { order += 'b'; };
    c->returned = [&] { order += 'c'; };
    loop.post([&] {
        a->scheduleSlotReturned();
        b->scheduleSlotReturned();
        c->scheduleSlotReturned();
        b.reset();
    });
    loop.processEvents();
    CHECK(order == "a");
}

TEST_CASE("an exception out of a dispatch leaves the others for the next turn") {
    EventLoop& loop = *EventLoop::current();
    std::string order;
    Step thrower([] { throw 2; });
    Step other([&] { order += 'o'; });
    thrower.schedule();
    other.schedule();
    CHECK_THROWS_AS(loop.processEvents(), int);
    CHECK(order.empty());
    CHECK_FALSE(other.inDispatch());
    CHECK(loop.processEvents());
    CHECK(order == "o");
}
