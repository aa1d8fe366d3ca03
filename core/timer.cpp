#include <halyard/core/timer.h>

#include "refuse.h"

#include <algorithm>

namespace halyard {

Timer::Timer(Object* parent) : Object(parent) {}

Timer::~Timer() = default;

bool Timer::start(Milliseconds interval) {
    if (interval.count() < 0)
        return refuse("Timer::start(): an interval cannot be negative");
    if (!isOnItsThread("Timer::start()"))
        return false;
    interval_ = interval;
    alarm_.arm(Deadline::after(interval));
    active_ = true;
    return true;
}

void Timer::stop() noexcept {
    if (!isOnItsThread("Timer::stop()"))
        return;
    active_ = false;
    alarm_.disarm();
}

Timer::Milliseconds Timer::remainingTime() const {
    if (!active_)
        return Milliseconds(-1);
    const auto left = std::chrono::ceil<Milliseconds>(alarm_.when() - Deadline::Clock::now());
    return std::max(left, Milliseconds(0));
}

bool Timer::setInterval(Milliseconds interval) {
    if (active_ || interval.count() < 0)
        return start(interval);
    if (!isOnItsThread("Timer::setInterval()"))
        return false;
    interval_ = interval;
    return true;
}

void Timer::goOff() {
    if (singleShot_)
        active_ = false;
    struct AfterSlot {
        Pointer<Timer> timer;
        Deadline::Clock::time_point due;
        ~AfterSlot() {
            if (timer)
                timer->slotDone(due);
        }
    };
    const AfterSlot whicheverWayItEnds{this, alarm_.when()};
    timeout();
}

void Timer::slotDone(Deadline::Clock::time_point due) {
    if (deletesItself_) {
        delete this;
        return;
    }
    // Armed again only now, so that a nested loop in the slot does not come back here.
    if (active_ && !alarm_.isArmed())
        alarm_.arm(Deadline::repeat(due, interval_));
}

void Timer::leavingThread() { alarm_.leaveLoop(); }

void Timer::enteredThread() { alarm_.joinLoop(); }

void Timer::endWith(Object* context) {
    deletesItself_ = true;
    context->destroyed.connect(this, [this] { delete this; });
}

} // namespace halyard
