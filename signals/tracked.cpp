#include <halyard/signals/tracked.h>

#include <halyard/signals/emission.h>
#include <halyard/signals/executor.h>
#include <halyard/signals/link.h>
#include <halyard/signals/pointer.h>

#include <atomic>
#include <utility>

namespace halyard {

using detail::Affinity;
using detail::Exclusive;
using detail::Link;
using detail::LinkRing;

Tracked::Tracked() noexcept : affinity_(&Affinity::current()) { affinity().enter(); }

Tracked::~Tracked() {
    clearPointers();
    endConnections();
    if (detail::currentAffinity->emissions != nullptr)
        detail::Running::forgetOwner(*this);
    affinity().leave();
}

/// Whoever ends the last connection from another thread looks at the receiver no more once it has left the ring.
void Tracked::endConnections() noexcept {
    const std::atomic_ref<Link*> first(incoming_);
    // Again where a functor's destructor has connected something.
    while (first.load(std::memory_order_acquire) != nullptr) {
        detail::Graves graves;
        const Exclusive right(
            [this](const Affinity& me) { return &affinity() == &me && LinkRing::isLocal(incoming_); });
        LinkRing::endAll(incoming_, right, graves);
    }
}

std::size_t Tracked::disconnectFrom(const Tracked* sender) noexcept {
    if (sender == nullptr)
        return 0; // and not those of signals without an owner
    detail::Graves graves;
    const Exclusive right([this](const Affinity& me) { return &affinity() == &me && LinkRing::isLocal(incoming_); });
    return LinkRing::endFrom(*sender, incoming_, right, graves);
}

void Tracked::clearPointers() noexcept {
    while (pointers_ != nullptr)
        pointers_->leave();
}

std::unique_ptr<Runnable> Tracked::post(std::unique_ptr<Runnable> task) const {
    const detail::Section section(Affinity::current()); // the executor cannot go meanwhile, nor the object move
    Executor* const its = executor();
    return its != nullptr ? its->post(std::move(task)) : std::move(task);
}

Tracked* Tracked::signalOwner() const noexcept { return detail::Running::callerOf(*this); }

bool Tracked::isEmitting() const noexcept { return detail::Running::isOf(*this); }

std::unique_ptr<Runnable> Tracked::moveTo(Affinity& thread, std::span<Tracked* const> objects,
                                          std::unique_ptr<Runnable> first) noexcept {
    Affinity& before = Affinity::current();
    const detail::StoppedWorld world;
    Executor* const to = thread.executor.load();
    if (to != nullptr)
        first = to->post(std::move(first));
    if (first != nullptr)
        return first;
    for (Tracked* const each : objects) {
        thread.enter();
        before.leave();
        each->affinity_.store(&thread, std::memory_order_relaxed);
        for (Link* link = each->incoming_; link != nullptr; link = link->next) {
            link->locate();
            if (before.emissions != nullptr) // a queued call of it may be among them
                link->set(detail::WalkedElsewhere, detail::Running::isWalkedElsewhere(link, link->guard()));
        }
    }
    if (Executor* const from = before.executor.load(); from != nullptr)
        from->moveTasks(*to);
    return nullptr;
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

Executor* Executor::current() noexcept { return detail::currentAffinity->executor.load(std::memory_order_relaxed); }

void Executor::setCurrent(Executor* executor) noexcept {
    Affinity& me = Affinity::current();
    if (me.executor.load(std::memory_order_relaxed) == executor)
        return;
    const detail::StoppedWorld world;
    me.executor.store(executor, std::memory_order_release);
}

} // namespace halyard
