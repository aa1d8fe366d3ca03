#include <halyard/core/unix_signal.h>

#include <halyard/core/event_loop.h>

#include "fresh_thread.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

using namespace halyard;
using namespace halyard::test;

namespace {

static_assert(std::is_base_of_v<Object, UnixSignal> && !std::is_convertible_v<UnixSignal*, Dispatchable*>);
static_assert(!std::is_copy_constructible_v<UnixSignal> && !std::is_move_constructible_v<UnixSignal>);
static_assert(std::is_constructible_v<UnixSignal, int> && !std::is_convertible_v<int, UnixSignal>);
static_assert(noexcept(std::declval<const UnixSignal&>().number()));
static_assert(noexcept(std::declval<const UnixSignal&>().isValid()));

bool isDefault(int number) {
    struct sigaction now {};
    REQUIRE(::sigaction(number, nullptr, &now) == 0);
    return now.sa_handler == SIG_DFL;
}

} // namespace

TEST_CASE("a signal of the system becomes one of the loop") {
    Object parent;
    UnixSignal signal(SIGUSR1, &parent);
    CHECK(signal.isValid());
    CHECK(signal.number() == SIGUSR1);
    CHECK(signal.parent() == &parent);
    int got = 0;
    signal.received.connect([&](int number) {
        CHECK(number == SIGUSR1);
        ++got;
    });
    ::raise(SIGUSR1);
    CHECK(got == 0);
    CHECK(pumpUntil([&] { return got == 1; }));
    ::raise(SIGUSR1);
    CHECK(pumpUntil([&] { return got == 2; }));
    pumpIdle();
    CHECK(got == 2);
}

TEST_CASE("signals that come between two turns are told once") {
    UnixSignal signal(SIGUSR1);
    int got = 0;
    signal.received.connect([&](int) { ++got; });
    for (int i = 0; i != 20; ++i)
        ::raise(SIGUSR1);
    CHECK(pumpUntil([&] { return got != 0; }));
    pumpIdle();
    CHECK(got == 1);
}

TEST_CASE("all objects of one number are told, and others are not") {
    UnixSignal first(SIGUSR1);
    UnixSignal second(SIGUSR1);
    UnixSignal other(SIGUSR2);
    std::string order;
    first.received.connect([&](int) { order += '1'; });
    second.received.connect([&](int) { order += '2'; });
    other.received.connect([&](int) { order += 'o'; });
    ::raise(SIGUSR1);
    CHECK(pumpUntil([&] { return order.size() == 2; }));
    CHECK(order.find('1') != std::string::npos);
    CHECK(order.find('2') != std::string::npos);
    ::raise(SIGUSR2);
    CHECK(pumpUntil([&] { return order.size() == 3; }));
    CHECK(order.back() == 'o');
}

TEST_CASE("the objects of one number may be deleted in any of their slots") {
    auto first = std::make_unique<UnixSignal>(SIGUSR1);
    auto second = std::make_unique<UnixSignal>(SIGUSR1);
    int got = 0;
    SUBCASE("itself") {
        first->received.connect([&](int) {
            ++got;
            first.reset();
        });
        second->received.connect([&](int) {
            ++got;
            second.reset();
        });
        ::raise(SIGUSR1);
        CHECK(pumpUntil([&] { return got == 2; }));
    }
    SUBCASE("both: whoever comes first") {
        const auto both = [&](int) {
            ++got;
            first.reset();
            second.reset();
        };
        first->received.connect(both);
        second->received.connect(both);
        ::raise(SIGUSR1);
        CHECK(pumpUntil([&] { return got == 1; }));
    }
    pumpIdle();
    CHECK(first == nullptr);
    CHECK(second == nullptr);
    CHECK(isDefault(SIGUSR1));
}

TEST_CASE("the signal does again what it does by default when the last object is gone") {
    CHECK(isDefault(SIGUSR2));
    {
        auto first = std::make_unique<UnixSignal>(SIGUSR2);
        CHECK_FALSE(isDefault(SIGUSR2));
        const UnixSignal second(SIGUSR2);
        first.reset();
        CHECK_FALSE(isDefault(SIGUSR2));
    }
    CHECK(isDefault(SIGUSR2));
}

TEST_CASE("a signal that came before its object was deleted is forgotten") {
    int got = 0;
    auto gone = std::make_unique<UnixSignal>(SIGUSR1);
    gone->received.connect([&](int) { ++got; });
    ::raise(SIGUSR1);
    gone.reset();
    pumpIdle();
    CHECK(got == 0);
}

TEST_CASE("an exception out of one slot leaves the other for the next turn") {
    UnixSignal first(SIGUSR1);
    UnixSignal second(SIGUSR1);
    int got = 0;
    const auto thrower = [&](int) {
        ++got;
        throw std::runtime_error("slot");
    };
    first.received.connect(thrower);
    second.received.connect(thrower);
    ::raise(SIGUSR1);
    CHECK_THROWS_AS(pumpUntil([] { return false; }), std::runtime_error);
    CHECK(got == 1);
    CHECK_THROWS_AS(pumpUntil([] { return false; }), std::runtime_error);
    CHECK(got == 2);
}

TEST_CASE("a number that cannot be watched is refused with a sentence") {
    Logged logged;
    for (const int number : {SIGKILL, SIGSTOP, 0, -1, 1000}) {
        const UnixSignal signal(number);
        CHECK_FALSE(signal.isValid());
        CHECK(signal.number() == number);
        CHECK(logged.linesWith("cannot watch signal " + std::to_string(number)) == 1);
    }
    pumpIdle();
}

TEST_CASE("each thread's loop is told") {
    UnixSignal here(SIGUSR1);
    int got = 0;
    here.received.connect([&](int) { ++got; });
    onFreshThread([] {
        UnixSignal there(SIGUSR1);
        int gotThere = 0;
        there.received.connect([&](int) { ++gotThere; });
        ::raise(SIGUSR1);
        CHECK(pumpUntil([&] { return gotThere == 1; }));
    });
    CHECK(pumpUntil([&] { return got == 1; }));
}

TEST_CASE("a thread may end with a signal on its way") {
    std::unique_ptr<UnixSignal> outliving;
    Logged logged;
    onFreshThread([&] {
        outliving = std::make_unique<UnixSignal>(SIGUSR1);
        ::raise(SIGUSR1);
    });
    CHECK(isDefault(SIGUSR1));
    CHECK_FALSE(outliving->isValid());
    outliving.reset();
    CHECK(logged.lines().empty());
}

TEST_CASE("a signal object may outlive the main thread's loop") {
    static UnixSignal outliving(SIGUSR2);
    CHECK(outliving.isValid());
}
