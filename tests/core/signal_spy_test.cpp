#include <halyard/core/signal_spy.h>

#include <halyard/core/thread.h>
#include <halyard/core/timer.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<SignalSpy<int>>);
static_assert(!std::is_convertible_v<Signal<int>&, SignalSpy<int>>);

} // namespace

TEST_CASE("a spy keeps what is emitted, in order") {
    Signal<int, const std::string&> signal;
    signal(0, "before");
    SignalSpy spy(signal);
    CHECK(spy.isValid());
    CHECK(spy.isEmpty());
    std::string text = "one";
    signal(1, text);
    text = "changed"; // the spy has a copy
    signal(2, "two");
    REQUIRE(spy.count() == 2);
    CHECK(spy[0] == std::tuple(1, std::string("one")));
    CHECK(std::get<0>(spy.last()) == 2);
    CHECK(spy.takeFirst() == std::tuple(1, std::string("one")));
    CHECK(spy.emissions().size() == 1);
    spy.clear();
    CHECK(spy.isEmpty());
    CHECK_THROWS_AS((void)spy[0], std::out_of_range);
    CHECK_THROWS_AS((void)spy.last(), std::out_of_range);
}

TEST_CASE("a spy waits for one more emission") {
    Timer timer;
    SignalSpy spy(timer.timeout);
    timer.start(1ms);
    CHECK(spy.wait());
    CHECK(spy.count() == 1);
    CHECK(spy.wait(-1ms));
    CHECK(spy.count() == 2);
    timer.stop();
    CHECK_FALSE(spy.wait(0ms));
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(spy.wait(10ms));
    CHECK(std::chrono::steady_clock::now() - begin >= 10ms);
    CHECK(spy.count() == 2);
}

TEST_CASE("other work does not end the wait of a spy") {
    Timer busy;
    busy.start(0ms);
    Timer timer;
    SignalSpy spy(timer.timeout);
    timer.start(5ms);
    CHECK(spy.wait());
    timer.stop();
    CHECK_FALSE(spy.wait(5ms));
}

TEST_CASE("a spy and its signal may end in any order, in a wait too") {
    auto signal = std::make_unique<Signal<>>();
    auto spy = std::make_unique<SignalSpy<>>(*signal);
    Object context;
    SUBCASE("the signal first") {
        (*signal)();
        signal.reset();
        CHECK_FALSE(spy->isValid());
        CHECK(spy->count() == 1);
        CHECK_FALSE(spy->wait());
    }
    SUBCASE("the spy first") {
        spy.reset();
        CHECK(signal->connectionCount() == 0);
        (*signal)();
    }
    SUBCASE("the signal in a wait") {
        Timer::singleShot(1ms, &context, [&] { signal.reset(); });
        CHECK_FALSE(spy->wait());
    }
    SUBCASE("the spy in a wait") {
        Timer::singleShot(1ms, &context, [&] { spy.reset(); });
        CHECK_FALSE(spy->wait());
    }
    SUBCASE("the spy in the emission it waits for") {
        signal->connect([&] { spy.reset(); });
        Timer::singleShot(1ms, &context, [&] { (*signal)(); });
        CHECK_FALSE(spy->wait());
    }
}

TEST_CASE("a spy's patience is measured by the thread's clock") {
    const ManualClock clock(ManualClock::WhenIdle::Jump);
    Timer timer;
    SignalSpy spy(timer.timeout);
    timer.start(1h);
    CHECK_FALSE(spy.wait(59min));
    CHECK(spy.wait(1min));
    CHECK(spy.wait(1h));
}
