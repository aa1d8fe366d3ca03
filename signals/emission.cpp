#include <halyard/signals/signal.h>

namespace halyard::detail {

namespace {

Exclusive everything() noexcept {
    return Exclusive([](const Affinity&) { return false; });
}

} // namespace

Emission::Emission(Link& link) noexcept : me_(&Affinity::current()) {
    const Section section(*me_);
    current_ = &link;
    push(reinterpret_cast<std::uintptr_t>(&link) | isLink | isQueued, nullptr);
}

/// Emits on a thread that does not guard the signal: from now on it does, unless another thread is in the midst of
/// an emission, which counts on it.
Emission::Range Emission::beginElsewhere(SignalBase& signal) noexcept {
    me_ = &Affinity::current();
    const Exclusive right = everything();
    if (!signal.hasLinks() || isSilenced(signal.owner()))
        return {};
    Range links = signal.kind() == SignalBase::oneLink ? enter(signal.link()) : enter(signal.list());
    links.asks = isCalledElsewhere();
    if (links.asks)
        flags().store(static_cast<std::uint16_t>(flags().load(std::memory_order_relaxed) | WalkedElsewhere),
                      std::memory_order_relaxed);
    else
        signal.guardBy(*me_);
    return links;
}

bool Emission::isCalledElsewhere() const noexcept {
    bool found = false;
    StoppedWorld::forEach([&](const Affinity& thread) {
        for (const Emission* each = &thread != me_ ? thread.emissions : nullptr; each != nullptr; each = each->outer_) {
            if ((each->target_ & isQueued) != 0)
                continue;
            const Link* const single = each->link();
            found = found || each->target() == target() ||
                    (single != nullptr && single->isInList() && &single->list() == target());
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
    Link* const single = link();
    const auto guard = [&] {
        return single != nullptr ? single->guard() : list().guard.load(std::memory_order_relaxed);
    };
    const auto set = [&](LinkFlag flag, bool on) { single != nullptr ? single->set(flag, on) : list().set(flag, on); };
    const auto has = [&](LinkFlag flag) { return (flags().load(std::memory_order_relaxed) & flag) != 0; };
    const Exclusive right([&](const Affinity& me) { return !has(WalkedElsewhere) && guard() == me.id; });
    me_->emissions = outer_;
    if (right.isEverybodys())
        set(WalkedElsewhere, isWalkedElsewhere(target(), guard()));
    if (!has(Untidy) || isWalked(target(), flags().load(std::memory_order_relaxed), right))
        return;
    set(Untidy, false);
    if (single == nullptr)
        list().tidy(right, graves);
    else if (single->has(Ended))
        single->releaseIfUnused(right, graves);
}

bool Emission::isWalked(const void* target, unsigned flags, const Exclusive& right) noexcept {
    const auto walks = [target](const Affinity& thread) {
        for (const Emission* each = thread.emissions; each != nullptr; each = each->outer_)
            if (each->target() == target)
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
            found = found || each->target() == target;
    });
    return found;
}

Tracked* Emission::callerOf(const Tracked& receiver) noexcept {
    for (const Emission* each = Affinity::current().emissions; each != nullptr; each = each->outer_) {
        if (each->current_ == nullptr || each->current_->receiver != &receiver)
            continue;
        if ((each->target_ & isQueued) == 0)
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
