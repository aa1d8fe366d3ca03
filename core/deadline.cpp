#include <halyard/core/deadline.h>

#include "dispatcher.h"
#include "later.h"

#include <utility>

namespace halyard {

Deadline::Clock::time_point Deadline::repeat(Clock::time_point due, std::chrono::milliseconds interval) noexcept {
    const Clock::time_point now = Clock::now();
    const Clock::time_point next = later(due, interval);
    return next > now ? next : later(now, interval);
}

Deadline::~Deadline() { disarm(); }

void Deadline::arm(Clock::time_point when) {
    when_ = when;
    dispatcher().arm(*this);
}

void Deadline::leaveLoop() noexcept {
    Dispatchable::leaveLoop(); // which keeps that it was scheduled, by whomever
    armAgain_ = isArmed();
    disarm();
}

void Deadline::joinLoop() {
    Dispatchable::joinLoop();
    const bool comesNow = isScheduled();
    if (std::exchange(armAgain_, false))
        arm(when_);
    if (comesNow)
        schedule();
}

void Deadline::disarm() noexcept { dispatcher().disarm(*this); }

} // namespace halyard
