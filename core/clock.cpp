#include <halyard/core/clock.h>

#include "dispatcher.h"

#include <algorithm>

namespace halyard {

namespace {

constinit thread_local ManualClock* manual = nullptr;

constexpr auto smallestStep = std::chrono::milliseconds(1);

Clock::time_point later(Clock::time_point now, std::chrono::milliseconds delay) noexcept {
    const auto reach = std::chrono::floor<std::chrono::milliseconds>(Clock::time_point::max() - now);
    return delay < reach ? now + delay : Clock::time_point::max();
}

} // namespace

Clock::time_point Clock::now() noexcept { return manual == nullptr ? std::chrono::steady_clock::now() : manual->now_; }

Clock::time_point Clock::after(std::chrono::milliseconds delay) noexcept { return later(now(), delay); }

ManualClock::ManualClock(WhenIdle whenIdle) noexcept
    : now_(Clock::now()), lastDue_(Clock::time_point::min()), outer_(manual), jumps_(whenIdle == WhenIdle::Jump) {
    manual = this;
}

ManualClock::~ManualClock() { manual = outer_; }

ManualClock* ManualClock::current() noexcept { return manual; }

void ManualClock::advance(Clock::duration by) {
    const Clock::time_point until = std::max(now_, now_ + by);
    if (Executor* const loop = Executor::current())
        static_cast<Dispatcher*>(loop)->passTime(until);
    if (manual == this) // a slot may have ended it
        now_ = std::max(now_, until);
}

void ManualClock::skip(Clock::duration by) noexcept {
    now_ = std::max(now_, now_ + by);
    if (Executor* const loop = Executor::current())
        static_cast<Dispatcher*>(loop)->timeHasPassed();
}

void ManualClock::pass(Clock::time_point next) noexcept {
    if (next > now_)
        now_ = next;
    else if (lastDue_ == now_)
        now_ += smallestStep;
}

Clock::time_point WaitClock::now() noexcept {
    return manual == nullptr || !manual->jumps_ ? std::chrono::steady_clock::now() : manual->now_;
}

Clock::time_point WaitClock::after(std::chrono::milliseconds delay) noexcept { return later(now(), delay); }

std::chrono::nanoseconds WaitClock::left(Clock::time_point until) noexcept {
    if (manual != nullptr && manual->jumps_)
        return std::chrono::nanoseconds(0);
    return std::max(until - now(), Clock::duration(0));
}

bool WaitClock::isOver(Clock::time_point until) noexcept {
    if (manual != nullptr && manual->jumps_)
        manual->now_ = std::max(manual->now_, until);
    return now() >= until;
}

} // namespace halyard
