#include <halyard/core/dispatchable.h>

#include "dispatcher.h"

#include <utility>

namespace halyard {

Dispatchable::Dispatchable() : state_(&Dispatcher::current()) { dispatcher().addUser(); }

Dispatchable::~Dispatchable() {
    unschedule();
    if (slotPlace_ != 0)
        dispatcher().forgetSlotWaiter(slotPlace_ - 1);
    dispatcher().removeUser();
}

void Dispatchable::leaveLoop() noexcept {
    const bool wasScheduled = isScheduled();
    unschedule();
    next_ = wasScheduled ? this : nullptr;
    if (const std::uint32_t place = std::exchange(slotPlace_, 0); place != 0)
        dispatcher().forgetSlotWaiter(place - 1);
}

void Dispatchable::joinLoop() {
    Dispatcher& next = Dispatcher::current();
    next.addUser();
    dispatcher().removeUser();
    state_ = &next;
    if (next_ == this)
        schedule();
}

void Dispatchable::schedule() { dispatcher().schedule(*this); }
void Dispatchable::unschedule() noexcept { Dispatcher::unschedule(*this); }
void Dispatchable::scheduleSlotReturned() { dispatcher().scheduleSlotReturned(*this); }

DispatchScope::DispatchScope() : dispatcher_(Dispatcher::current()) { dispatcher_.beginSlot(); }
DispatchScope::~DispatchScope() { dispatcher_.endSlot(); }

} // namespace halyard
