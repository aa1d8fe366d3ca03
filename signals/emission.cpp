#include <halyard/signals/signal.h>

namespace halyard::detail {

namespace {

Exclusive everything() noexcept {
    return Exclusive([](const Affinity&) { return false; });
}

} // namespace

Emission::Emission(Link& link) noexcept : me_(Affinity::current()) {
    const Section section(me_);
    target_ = current_ = &link;
    only_ = queued_ = true;
    flags_ = &link.flags;
    push();
}

/// Emits on a thread that does not guard the signal: from now on it does, unless another thread is in the midst of
/// an emission, which counts on it.
void Emission::enterForeign(SignalBase& signal) noexcept {
    const Exclusive right = everything();
    const std::uintptr_t word = signal.word_.load(std::memory_order_relaxed);
    if ((word & SignalBase::kindMask) == 0 || (word & SignalBase::kindMask) == SignalBase::claimed ||
        isSilenced(signal.owner()))
        return;
    if (const bool one = (word & SignalBase::kindMask) == SignalBase::oneLink; one)
        enter(signal.link());
    else
        enter(signal.list());
    foreign_ = isCalledElsewhere(target_);
    if (!foreign_)
        signal.guardBy(me_);
    else
        flags_->store(static_cast<std::uint16_t>(flags_->load(std::memory_order_relaxed) | WalkedElsewhere),
                      std::memory_order_relaxed);
}

bool Emission::isCalledElsewhere(const void* target) const noexcept {
    bool found = false;
    StoppedWorld::forEach([&](const Affinity& thread) {
        for (const Emission* each = &thread != &me_ ? thread.emissions : nullptr; each != nullptr;
             each = each->outer_) {
            if (each->queued_)
                continue;
            const auto* const link = each->only_ ? static_cast<const Link*>(each->target_) : nullptr;
            found =
                found || each->target_ == target || (link != nullptr && link->isInList() && &link->list() == target);
        }
    });
    return found;
}

Thunk Emission::thunkFor(Link& link) noexcept {
    const Exclusive right = everything();
    if (link.has(Ended) || link.has(Blocked))
        return nullptr;
    unsigned flags = link.flags.load(std::memory_order_relaxed) & ~unsigned{Remote};
    if (link.receiver != nullptr && !link.receiver->livesHere())
        flags |= Remote;
    return link.ops->choose(flags);
}

/// The end of a walk that somebody counted on.
void Emission::finish() noexcept {
    Graves graves;
    auto* const link = only_ ? static_cast<Link*>(const_cast<void*>(target_)) : nullptr;
    auto* const list = only_ ? nullptr : static_cast<LinkList*>(const_cast<void*>(target_));
    const auto guard = [&] { return link != nullptr ? link->guard() : list->guard.load(std::memory_order_relaxed); };
    const auto set = [&](LinkFlag flag, bool on) { link != nullptr ? link->set(flag, on) : list->set(flag, on); };
    const auto flags = [&] { return flags_->load(std::memory_order_relaxed); };
    const Exclusive right([&](const Affinity& me) { return (flags() & WalkedElsewhere) == 0 && guard() == me.id; });
    me_.emissions = outer_;
    if (right.isEverybodys())
        set(WalkedElsewhere, isWalkedElsewhere(target_, guard()));
    if ((flags() & Untidy) == 0 || isWalked(target_, flags(), right))
        return;
    set(Untidy, false);
    if (list != nullptr)
        list->tidy(right, graves);
    else if (link->has(Ended))
        link->releaseIfUnused(right, graves);
}

bool Emission::isWalked(const void* target, unsigned flags, const Exclusive& right) noexcept {
    const auto walks = [target](const Affinity& thread) {
        for (const Emission* each = thread.emissions; each != nullptr; each = each->outer_)
            if (each->target_ == target)
                return true;
        return false;
    };
    if (!right.isEverybodys())
        return (flags & WalkedElsewhere) != 0 || walks(Affinity::current());
    bool found = false;
    StoppedWorld::forEach([&](const Affinity& thread) { found = found || walks(thread); });
    return found;
}

bool Emission::isWalkedElsewhere(const void* target, std::uint32_t guard) noexcept {
    bool found = false;
    StoppedWorld::forEach([&](const Affinity& thread) {
        for (const Emission* each = thread.id != guard ? thread.emissions : nullptr; each != nullptr;
             each = each->outer_)
            found = found || each->target_ == target;
    });
    return found;
}

Tracked* Emission::callerOf(const Tracked& receiver) noexcept {
    for (const Emission* each = Affinity::current().emissions; each != nullptr; each = each->outer_) {
        if (each->current_ == nullptr || each->current_->receiver != &receiver)
            continue;
        if (!each->queued_)
            return each->owner_;
        const Link& link = *each->current_;
        const Exclusive right([&link](const Affinity& me) { return link.isGuardedBy(me); });
        if (link.has(Ended))
            return nullptr;
        return link.isInList() ? link.list().owner : link.owner;
    }
    return nullptr;
}

void Emission::forgetOwner(const Tracked& owner) noexcept {
    for (Emission* each = Affinity::current().emissions; each != nullptr; each = each->outer_)
        if (each->owner_ == &owner)
            each->owner_ = nullptr;
}

} // namespace halyard::detail
