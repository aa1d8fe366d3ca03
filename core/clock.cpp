#include <halyard/core/clock.h>

#include "dispatcher.h"
#include "later.h"
#include "manual_time.h"

#include <algorithm>

namespace halyard {

constinit thread_local ManualClock* manualClock = nullptr;

namespace {

constexpr auto smallestStep = std::chrono::milliseconds(1);

} // namespace

Clock::time_point Clock::now() noexcept {
    return manualClock == nullptr ? std::chrono::steady_clock::now() : manualClock->now_;
}

Clock::time_point Clock::after(std::chrono::milliseconds delay) noexcept { return later(now(), delay); }

ManualClock::ManualClock(WhenIdle whenIdle) noexcept
    : now_(Clock::now()), lastDue_(Clock::time_point::min()), outer_(manualClock), jumps_(whenIdle == WhenIdle::Jump) {
    manualClock = this;
}

ManualClock::~ManualClock() { manualClock = outer_; }

ManualClock* ManualClock::current() noexcept { return manualClock; }

void ManualClock::advance(Clock::duration by) {
    const Clock::time_point until = std::max(now_, later(now_, by));
    if (Executor* const loop = Executor::current())
        static_cast<Dispatcher*>(loop)->passTime(until);
    if (manualClock == this) // a slot may have ended it
        now_ = std::max(now_, until);
}

void ManualClock::skip(Clock::duration by) noexcept {
    now_ = std::max(now_, later(now_, by));
    if (Executor* const loop = Executor::current())
        static_cast<Dispatcher*>(loop)->timeHasPassed();
}

void ManualClock::pass(Clock::time_point next) noexcept {
    if (next > now_)
        now_ = next;
    else if (lastDue_ == now_)
        now_ = later(now_, smallestStep);
}

Clock::time_point WaitClock::now() noexcept {
    return manualClock == nullptr || !manualClock->jumps_ ? std::chrono::steady_clock::now() : manualClock->now_;
}

Clock::time_point WaitClock::after(std::chrono::milliseconds delay) noexcept {
    return delay.count() >= 0 ? later(now(), delay) : Clock::time_point::max();
}

Clock::time_point WaitClock::when(Clock::time_point deadline) noexcept {
    if (manualClock == nullptr || manualClock->jumps_)
        return deadline;
    return deadline <= manualClock->now_ ? now() : Clock::time_point::max();
}

std::chrono::nanoseconds WaitClock::left(Clock::time_point until) noexcept {
    if (manualClock != nullptr && manualClock->jumps_)
        return std::chrono::nanoseconds(0);
    return std::max(until - now(), Clock::duration(0));
}

bool WaitClock::isOver(Clock::time_point until) noexcept {
    if (manualClock != nullptr && manualClock->jumps_)
        manualClock->now_ = std::max(manualClock->now_, until);
    return now() >= until;
}

} // namespace halyard
