#include <halyard/signals/emission.h>

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
        const LinkState& state = kind == SignalBase::oneLink ? static_cast<const Link*>(its)->state
                                                             : static_cast<const LinkList*>(its)->state;
        if (state.guard() == me_.id) [[likely]] {
            if (!isSilenced(signal.owner()))
                enter(signal);
            return;
        }
    }
    beginElsewhere(signal);
}

Emission::~Emission() {
    if (running_.target == 0)
        return;
    {
        const Section section(me_);
        if (!running_.state().has(Untidy | WalkedElsewhere)) [[likely]] {
            me_.emissions = running_.outer;
            return;
        }
    }
    running_.leaveTidy(me_);
}

void Emission::enter(SignalBase& signal) noexcept {
    if (signal.kind() == SignalBase::oneLink) {
        only_ = &signal.link();
        begin_ = &only_;
        end_ = begin_ + 1;
        running_.enter(me_, me_.emissions, reinterpret_cast<std::uintptr_t>(only_) | Running::isLink);
    } else {
        LinkList& all = signal.list();
        begin_ = all.links;
        end_ = begin_ + all.size;
        running_.enter(me_, me_.emissions, reinterpret_cast<std::uintptr_t>(&all));
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
    running_.state().set(WalkedElsewhere);
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

const Way* Emission::wayFor(const Link& link) noexcept {
    if (link.has(Ended))
        return link.ops().ended; // for which nobody need stop
    const Exclusive right = everything();
    std::uint32_t flags = link.state.flags() & ~std::uint32_t{Remote};
    // The receiver of one that has ended may be gone.
    if (!link.has(Ended) && link.receiver != nullptr && !link.receiver->livesHere())
        flags |= Remote;
    return link.ops().choose(flags);
}

// --- what runs ---

void Running::leaveTidy(Affinity& thread) noexcept {
    Graves graves;
    Link* const single = link();
    LinkState& its = state();
    const auto guard = [&] { return single != nullptr ? single->guard() : its.guard(); };
    const Exclusive right([&](const Affinity& me) { return !its.has(WalkedElsewhere) && guard() == me.id; });
    thread.emissions = outer;
    if (right.isEverybodys())
        its.set(WalkedElsewhere, isWalkedElsewhere(what(), guard()));
    if (!its.has(Untidy))
        return;
    if (isWalked(what(), its, right)) {
        if (single == nullptr)
            list().freeOutdated(right, graves);
        return;
    }
    its.set(Untidy, false);
    if (single == nullptr)
        list().tidy(right, graves);
    else if (single->has(Ended))
        single->releaseIfUnused(right, graves);
}

void Running::leaveInnermost() noexcept { currentAffinity->emissions->leaveTidy(*currentAffinity); }

bool Running::isWalked(const void* target, const LinkState& state, const Exclusive& right) noexcept {
    if (!right.isEverybodys())
        return state.has(WalkedElsewhere) || walks(right.thread(), target);
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
        if (each->current()->receiver != &receiver)
            continue;
        if ((each->target & isQueued) == 0)
            return each->owner();
        const Link& link = *each->current();
        const Exclusive right([&link](const Affinity& me) { return link.isGuardedBy(me); });
        if (link.has(Ended))
            return nullptr;
        return link.sender();
    }
    return nullptr;
}

bool Running::isOf(const Tracked& owner) noexcept {
    for (const Running* each = currentAffinity->emissions; each != nullptr; each = each->outer)
        if ((each->target & isQueued) == 0 && each->owner() == &owner)
            return true;
    return false;
}

void Running::forgetOwner(const Tracked& owner) noexcept {
    for (Running* each = Affinity::current().emissions; each != nullptr; each = each->outer)
        if ((each->target & isQueued) == 0 && each->owner() == &owner)
            each->owner() = nullptr;
}

} // namespace halyard::detail
