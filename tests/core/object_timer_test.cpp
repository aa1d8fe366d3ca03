#include <halyard/core/object.h>

#include <halyard/core/event_loop.h>

#include "fresh_thread.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

struct Ticker : Object {
    using Object::Object;
    void timerEvent(TimerEvent& event) override {
        ids.push_back(event.timerId());
        const auto running = then; // which it may replace
        running();
    }
    std::vector<int> ids;
    std::function<void()> then = [] {};
};

} // namespace

TEST_CASE("a timer by number tells its number, over and over, until it is killed") {
    Ticker ticker;
    const auto begin = std::chrono::steady_clock::now();
    const int id = ticker.startTimer(3ms);
    CHECK(id > 0);
    CHECK(pumpUntil([&] { return ticker.ids.size() == 4; }));
    CHECK(std::chrono::steady_clock::now() - begin >= 12ms);
    CHECK(ticker.ids == std::vector<int>(4, id));
    ticker.killTimer(id);
    pumpIdle();
    CHECK(ticker.ids.size() == 4);
}

TEST_CASE("numbers are not used twice") {
    Ticker a;
    Ticker b;
    std::set<int> ids;
    for (int i = 0; i != 50; ++i) {
        const int its = a.startTimer(1h);
        a.killTimer(its);
        ids.insert({its, a.startTimer(1h), b.startTimer(1h)});
    }
    CHECK(ids.size() == 150);
    CHECK(ids.count(0) == 0);
}

TEST_CASE("with an interval of 0 it goes off once in every turn") {
    Ticker ticker;
    ticker.startTimer(0ms);
    for (std::size_t turn = 1; turn <= 5; ++turn) {
        EventLoop::current()->processEvents();
        CHECK(ticker.ids.size() == turn);
    }
}

TEST_CASE("its handler may kill it, others, all of them and the object") {
    auto ticker = std::make_unique<Ticker>();
    const int a = ticker->startTimer(0ms);
    const int b = ticker->startTimer(0ms);
    SUBCASE("itself") {
        ticker->then = [&] {
            ticker->killTimer(a);
            ticker->then = [] {};
        };
        EventLoop::current()->processEvents();
        EventLoop::current()->processEvents();
        CHECK(ticker->ids == std::vector<int>{a, b, b});
    }
    SUBCASE("the other one, that is due too") {
        ticker->then = [&] {
            ticker->killTimer(b);
            ticker->then = [] {};
        };
        EventLoop::current()->processEvents();
        CHECK(ticker->ids == std::vector<int>{a});
    }
    SUBCASE("the object") {
        ticker->then = [&] { ticker.reset(); };
        EventLoop::current()->processEvents();
        CHECK(ticker == nullptr);
    }
    SUBCASE("and start new ones, which wait for the next turn") {
        ticker->then = [&] {
            ticker->then = [] {};
            ticker->startTimer(0ms);
        };
        EventLoop::current()->processEvents();
        CHECK(ticker->ids == std::vector<int>{a, b});
        EventLoop::current()->processEvents();
        CHECK(ticker->ids.size() == 5);
    }
    SUBCASE("a nested loop, in which it does not go off again") {
        ticker->then = [&] {
            ticker->then = [] {};
            EventLoop::current()->processEvents();
            EventLoop::current()->processEvents();
        };
        EventLoop::current()->processEvents();
        CHECK(ticker->ids.size() >= 3);
        CHECK(ticker->ids == std::vector<int>({a, b, b}));
    }
    SUBCASE("an exception, which does not end it") {
        ticker->then = [&] {
            ticker->then = [] {};
            throw 1;
        };
        CHECK_THROWS_AS(EventLoop::current()->processEvents(), int);
        EventLoop::current()->processEvents();
        CHECK(ticker->ids.size() >= 3);
    }
}

TEST_CASE("an object that dies takes its timers along") {
    auto ticker = std::make_unique<Ticker>();
    ticker->startTimer(0ms);
    ticker.reset();
    pumpIdle();
}

TEST_CASE("what cannot be started or killed is refused with a sentence") {
    Logged logged;
    Ticker ticker;
    CHECK(ticker.startTimer(-1ms) == 0);
    CHECK(logged.linesWith("negative") == 1);
    const int id = ticker.startTimer(1h);
    onFreshThread([&] {
        CHECK(ticker.startTimer(1ms) == 0);
        ticker.killTimer(id);
    });
    CHECK(logged.linesWith("another thread") == 2);
    Ticker other;
    other.killTimer(id);
    ticker.killTimer(0);
    ticker.killTimer(id);
    ticker.killTimer(id);
    CHECK(logged.linesWith("no such timer") == 3);
}

TEST_CASE("a timer may be filtered") {
    struct Filter : Object {
        bool eventFilter(Object*, Event& event) override {
            seen += event.type() == Event::Timer ? 1 : 1000;
            return true;
        }
        int seen = 0;
    };
    Ticker ticker;
    Filter filter;
    ticker.installEventFilter(&filter);
    ticker.startTimer(0ms);
    EventLoop::current()->processEvents();
    EventLoop::current()->processEvents();
    CHECK(filter.seen == 2);
    CHECK(ticker.ids.empty());
}
