#include <halyard/core/dispatchable.h>

#include "dispatcher.h"

namespace halyard {

Dispatchable::Dispatchable() : dispatcher_(&Dispatcher::current()) { dispatcher_->addUser(); }

Dispatchable::~Dispatchable() {
    unschedule();
    if (slotPlace_ != 0)
        dispatcher_->forgetSlotWaiter(slotPlace_ - 1);
    dispatcher_->removeUser();
}

void Dispatchable::schedule() { dispatcher_->schedule(*this); }
void Dispatchable::unschedule() noexcept { Dispatcher::unschedule(*this); }
void Dispatchable::scheduleSlotReturned() { dispatcher_->scheduleSlotReturned(*this); }
bool Dispatchable::inDispatch() const noexcept { return dispatcher_->inDispatch(); }

DispatchScope::DispatchScope() : dispatcher_(Dispatcher::current()) { dispatcher_.beginSlot(); }
DispatchScope::~DispatchScope() { dispatcher_.endSlot(); }

} // namespace halyard
