#include <halyard/signals/signal.h>

namespace halyard::detail {

namespace {

Exclusive everything() noexcept {
    return Exclusive([](const Affinity&) { return false; });
}

bool walks(const Affinity& thread, const void* target) noexcept {
    for (const Running* each = thread.emissions; each != nullptr; each = each->outer)
        if (each->what() == target)
            return true;
    return false;
}

} // namespace

// --- an emission ---

Emission::Emission(SignalBase& signal) noexcept : me_(Affinity::current()) {
    {
        const Section section(me_);
        const std::uintptr_t word = signal.word_.load(std::memory_order_acquire);
        const std::uintptr_t kind = word & SignalBase::kindMask;
        const void* const its = reinterpret_cast<const void*>(word & ~SignalBase::kindMask);
        if (kind != SignalBase::oneLink && kind != SignalBase::manyLinks)
            return;
        // Of another thread's signal only this can be looked at: it may come to an end meanwhile.
        const auto& guard = kind == SignalBase::oneLink ? static_cast<const Link*>(its)->place
                                                        : static_cast<const LinkList*>(its)->guard;
        if (guard.load(std::memory_order_relaxed) == me_.id) [[likely]] {
            if (!isSilenced(signal.owner()))
                enter(signal);
            return;
        }
    }
    beginElsewhere(signal);
}

Emission::Emission(Link& link) noexcept : me_(Affinity::current()) {
    const Section section(me_);
    running_.current = &link;
    running_.enter(me_, &link, Running::isLink | Running::isQueued, nullptr);
}

Emission::~Emission() {
    if (running_.target == 0)
        return;
    {
        const Section section(me_);
        if ((running_.flags().load(std::memory_order_relaxed) & (Untidy | WalkedElsewhere)) == 0) [[likely]] {
            me_.emissions = running_.outer;
            return;
        }
    }
    running_.leaveTidy(me_);
}

void Emission::enter(SignalBase& signal) noexcept {
    if (signal.kind() == SignalBase::oneLink) {
        running_.current = &signal.link();
        begin_ = &running_.current;
        end_ = begin_ + 1;
        running_.enter(me_, running_.current, Running::isLink, running_.current->owner);
    } else {
        LinkList& all = signal.list();
        begin_ = all.links.get();
        end_ = begin_ + all.size;
        running_.enter(me_, &all, 0, all.owner);
    }
}

/// Emits on a thread that does not guard the signal: from now on it does, unless another thread is in the midst of
/// an emission, which counts on it.
void Emission::beginElsewhere(SignalBase& signal) noexcept {
    const Exclusive right = everything();
    if (!signal.hasLinks() || isSilenced(signal.owner()))
        return;
    enter(signal);
    asks_ = isCalledElsewhere();
    if (!asks_) {
        signal.guardBy(me_);
        return;
    }
    std::atomic<std::uint16_t>& flags = running_.flags();
    flags.store(static_cast<std::uint16_t>(flags.load(std::memory_order_relaxed) | WalkedElsewhere),
                std::memory_order_relaxed);
}

/// Whether an emission of another thread has still to look how a Link of this one is called.
bool Emission::isCalledElsewhere() const noexcept {
    bool found = false;
    StoppedWorld::forEach([&](const Affinity& thread) {
        for (const Running* each = &thread != &me_ ? thread.emissions : nullptr; each != nullptr; each = each->outer) {
            if ((each->target & Running::isQueued) != 0)
                continue;
            const Link* const single = each->link();
            found = found || each->what() == running_.what() ||
                    (single != nullptr && single->isInList() && &single->list() == running_.what());
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

// --- what runs ---

void Running::leaveTidy(Affinity& thread) noexcept {
    Graves graves;
    Link* const single = link();
    const auto guard = [&] {
        return single != nullptr ? single->guard() : list().guard.load(std::memory_order_relaxed);
    };
    const auto set = [&](LinkFlag flag, bool on) { single != nullptr ? single->set(flag, on) : list().set(flag, on); };
    const auto has = [&](LinkFlag flag) { return (flags().load(std::memory_order_relaxed) & flag) != 0; };
    const Exclusive right([&](const Affinity& me) { return !has(WalkedElsewhere) && guard() == me.id; });
    thread.emissions = outer;
    if (right.isEverybodys())
        set(WalkedElsewhere, isWalkedElsewhere(what(), guard()));
    if (!has(Untidy) || isWalked(what(), flags().load(std::memory_order_relaxed), right))
        return;
    set(Untidy, false);
    if (single == nullptr)
        list().tidy(right, graves);
    else if (single->has(Ended))
        single->releaseIfUnused(right, graves);
}

bool Running::isWalked(const void* target, unsigned flags, const Exclusive& right) noexcept {
    if (!right.isEverybodys())
        return (flags & WalkedElsewhere) != 0 || walks(Affinity::current(), target);
    bool found = false;
    StoppedWorld::forEach([&](const Affinity& thread) { found = found || walks(thread, target); });
    return found;
}

bool Running::isWalkedElsewhere(const void* target, std::uint32_t guard) noexcept {
    bool found = false;
    StoppedWorld::forEach(
        [&](const Affinity& thread) { found = found || (thread.id != guard && walks(thread, target)); });
    return found;
}

Tracked* Running::callerOf(const Tracked& receiver) noexcept {
    for (const Running* each = Affinity::current().emissions; each != nullptr; each = each->outer) {
        if (each->current == nullptr || each->current->receiver != &receiver)
            continue;
        if ((each->target & isQueued) == 0)
            return each->owner;
        const Link& link = *each->current;
        const Exclusive right([&link](const Affinity& me) { return link.isGuardedBy(me); });
        if (link.has(Ended))
            return nullptr;
        return link.isInList() ? link.list().owner : link.owner;
    }
    return nullptr;
}

bool Running::isOf(const Tracked& owner) noexcept {
    for (const Running* each = currentAffinity->emissions; each != nullptr; each = each->outer)
        if (each->owner == &owner)
            return true;
    return false;
}

void Running::forgetOwner(const Tracked& owner) noexcept {
    for (Running* each = Affinity::current().emissions; each != nullptr; each = each->outer)
        if (each->owner == &owner)
            each->owner = nullptr;
}

} // namespace halyard::detail
