#include <halyard/core/dispatchable.h>

#include "dispatcher.h"

#include <utility>

namespace halyard {

Dispatchable::Dispatchable() : dispatcher_(&Dispatcher::current()) { dispatcher_->addUser(); }

Dispatchable::~Dispatchable() {
    unschedule();
    if (slotPlace_ != 0)
        dispatcher_->forgetSlotWaiter(slotPlace_ - 1);
    dispatcher_->removeUser();
}

void Dispatchable::leaveLoop() noexcept {
    const bool wasScheduled = isScheduled();
    unschedule();
    next_ = wasScheduled ? this : nullptr;
    if (const std::uint32_t place = std::exchange(slotPlace_, 0); place != 0)
        dispatcher_->forgetSlotWaiter(place - 1);
}

void Dispatchable::joinLoop() {
    Dispatcher& next = Dispatcher::current();
    next.addUser();
    std::exchange(dispatcher_, &next)->removeUser();
    if (next_ == this)
        schedule();
}

void Dispatchable::schedule() { dispatcher_->schedule(*this); }
void Dispatchable::unschedule() noexcept { Dispatcher::unschedule(*this); }
void Dispatchable::scheduleSlotReturned() { dispatcher_->scheduleSlotReturned(*this); }
bool Dispatchable::inDispatch() const noexcept { return dispatcher_->inDispatch(); }

DispatchScope::DispatchScope() : dispatcher_(Dispatcher::current()) { dispatcher_.beginSlot(); }
DispatchScope::~DispatchScope() { dispatcher_.endSlot(); }

} // namespace halyard
