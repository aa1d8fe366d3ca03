#include <halyard/signals/tracked.h>

#include <halyard/signals/executor.h>
#include <halyard/signals/link.h>
#include <halyard/signals/pointer.h>

namespace halyard {

Tracked::Tracked() noexcept : executor_(Executor::current()) {}

Tracked::~Tracked() {
    clearPointers();
    endConnections();
}

void Tracked::endConnections() noexcept { detail::LinkRing::endAll(incoming_); }

void Tracked::clearPointers() noexcept {
    while (pointers_ != nullptr)
        pointers_->leave();
}

// Not inline: compilers that see a list of variables of the stack suspect them to stay in it.
void PointerBase::join(Tracked* target) noexcept {
    target_ = target;
    if (target == nullptr)
        return;
    next_ = target->pointers_;
    previous_ = &target->pointers_;
    if (next_ != nullptr)
        next_->previous_ = &next_;
    target->pointers_ = this;
}

namespace {
constinit thread_local Executor* currentExecutor = nullptr;
}

Executor* Executor::current() noexcept { return currentExecutor; }

void Executor::setCurrent(Executor* executor) noexcept { currentExecutor = executor; }

} // namespace halyard
