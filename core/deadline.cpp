#include <halyard/core/deadline.h>

#include "dispatcher.h"

#include <utility>

namespace halyard {

Deadline::Clock::time_point Deadline::repeat(Clock::time_point due, std::chrono::milliseconds interval) noexcept {
    const Clock::time_point now = Clock::now();
    return due + interval > now ? due + interval : now + interval;
}

Deadline::~Deadline() { disarm(); }

void Deadline::arm(Clock::time_point when) {
    when_ = when;
    dispatcher().arm(*this);
}

void Deadline::leaveLoop() noexcept {
    armAgain_ = isArmed();
    disarm();
    Dispatchable::leaveLoop();
}

void Deadline::joinLoop() {
    Dispatchable::joinLoop();
    if (std::exchange(armAgain_, false))
        arm(when_);
}

void Deadline::disarm() noexcept { dispatcher().disarm(*this); }

} // namespace halyard
