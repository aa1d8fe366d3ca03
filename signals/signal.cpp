#include <halyard/signals/signal.h>

#include <cstring>

namespace halyard {

using detail::Affinity;
using detail::Exclusive;
using detail::Graves;
using detail::Link;
using detail::LinkList;
using detail::LinkRing;
using detail::SlotBlank;

/// Where a new connection belongs.
struct SignalBase::Place {
    Tracked* receiver = nullptr;
    SignalBase* next = nullptr; ///< of a relay
    std::uint16_t flags = 0;
};

namespace {

bool isRemote(const Link& link) noexcept { return link.has(detail::Remote); }

} // namespace

// --- who may change it ---

bool SignalBase::isGuardedBy(Affinity& thread) noexcept {
    std::uintptr_t nobody = 0;
    switch (kind()) {
    case oneLink:
        return link().place.load(std::memory_order_relaxed) == thread.id;
    case manyLinks:
        return list().guard.load(std::memory_order_relaxed) == thread.id;
    case claimed:
        return pointee<Affinity>() == &thread;
    default:
        if (const Tracked* const its = pointee<Tracked>())
            return &its->affinity() == &thread;
        return word_.compare_exchange_strong(nobody, reinterpret_cast<std::uintptr_t>(&thread) | claimed) ||
               nobody == (reinterpret_cast<std::uintptr_t>(&thread) | claimed);
    }
}

std::uint32_t SignalBase::guard() const noexcept {
    switch (kind()) {
    case oneLink:
        return link().guard();
    case manyLinks:
        return list().guard.load(std::memory_order_relaxed);
    case claimed:
        return pointee<Affinity>()->id;
    default:
        return pointee<Tracked>() != nullptr ? pointee<Tracked>()->affinity().id : Affinity::current().id;
    }
}

void SignalBase::guardBy(const Affinity& thread) noexcept {
    const auto locate = [&](Link& each) {
        each.set(detail::WalkedElsewhere, detail::Running::isWalkedElsewhere(&each, thread.id));
        each.locate();
    };
    if (kind() == oneLink) {
        link().place.store(thread.id, std::memory_order_relaxed);
        locate(link());
        return;
    }
    LinkList& all = list();
    all.guard.store(thread.id, std::memory_order_relaxed);
    all.set(detail::WalkedElsewhere, detail::Running::isWalkedElsewhere(&all, thread.id));
    for (std::uint32_t i = 0; i != all.size; ++i)
        locate(*all.links[i]);
    for (Link* each = all.relays; each != nullptr; each = each->next)
        each->locate();
}

Tracked* SignalBase::owner() const noexcept {
    switch (kind()) {
    case oneLink:
        return link().owner;
    case manyLinks:
        return list().owner;
    case claimed:
        return nullptr;
    default:
        return pointee<Tracked>();
    }
}

template <class Holds>
bool SignalBase::allLinks(Holds holds) const noexcept {
    if (kind() == oneLink)
        return holds(link());
    for (std::uint32_t i = 0; kind() == manyLinks && i != list().size; ++i)
        if (const Link& each = *list().links[i]; !each.has(detail::Ended) && !holds(each))
            return false;
    return true;
}

// --- connecting ---

Connection SignalBase::attach(SlotBlank& slot) {
    if (slot.missing) {
        detail::reportMisuse("connect: there is no slot");
        return {};
    }
    const Exclusive right([this](Affinity& me) { return isGuardedBy(me); });
    return place(slot, {}, right);
}

Connection SignalBase::attachTo(Tracked* receiver, SlotBlank& slot, ConnectionType type) {
    constexpr unsigned wayMask = 3;
    const auto way = static_cast<ConnectionType>(static_cast<unsigned>(type) & wayMask);
    const bool waits = way == ConnectionType::Queued || way == ConnectionType::BlockingQueued;
    const char* refusal = nullptr;
    if (receiver == nullptr)
        refusal = "connect: there is no receiver";
    else if (slot.missing)
        refusal = "connect: there is no slot";
    else if ((type & ConnectionType::Unique) && !slot.ops->isMember)
        refusal = "connect: only a member function can be a unique slot";
    else if (way == ConnectionType::Queued && receiver->executor() == nullptr)
        refusal = "connect: a queued slot needs a receiver on a thread with a loop";
    if (refusal == nullptr) {
        const Exclusive right([&](Affinity& me) { return isGuardedBy(me) && receiver->livesHere(); });
        const auto isSame = [&](const Link& link) {
            return link.receiver == receiver && *link.ops->type == *slot.ops->type &&
                   std::memcmp(link.slot, slot.slot, sizeof link.slot) == 0;
        };
        if ((type & ConnectionType::Unique) && !allLinks([&](const Link& link) { return !isSame(link); }))
            return {};
        const auto queues = [](const Link& link) { return link.has(detail::Queued) || link.has(detail::Blocking); };
        if (slot.ops->movesArguments && hasLinks() &&
            (waits ? !allLinks([](const Link&) { return false; })
                   : !allLinks([&](const Link& link) { return !queues(link); })))
            refusal = "connect: arguments that can only be moved have one receiver where one is queued";
        else
            return place(slot,
                         {receiver, nullptr,
                          static_cast<std::uint16_t>((way == ConnectionType::Queued ? detail::Queued : 0) |
                                                     (way == ConnectionType::Direct ? detail::Direct : 0) |
                                                     (way == ConnectionType::BlockingQueued ? detail::Blocking : 0) |
                                                     ((type & ConnectionType::SingleShot) ? detail::Once : 0))},
                         right);
    }
    detail::reportMisuse(refusal);
    return {};
}

Connection SignalBase::attachRelay(SignalBase& next, SlotBlank& slot) {
    const Exclusive right([&](Affinity& me) { return isGuardedBy(me) && next.isGuardedBy(me); });
    next.makeList();
    return place(slot, {nullptr, &next, detail::Relay}, right);
}

Connection SignalBase::place(SlotBlank& slot, const Place& where, const Exclusive& right) {
    Link& link = Link::allocate();
    Tracked* const its = owner();
    const std::uint32_t guardian = guard();
    link.holder.store(0, std::memory_order_relaxed);
    if (hasLinks()) {
        try {
            LinkList& all = makeList();
            all.append(link, detail::Running::isWalked(&all, all.flags.load(std::memory_order_relaxed), right));
        } catch (...) {
            Graves none;
            link.releaseIfUnused(right, none);
            throw;
        }
    }
    link.receiver = where.receiver;
    link.ops = slot.ops;
    std::memcpy(link.slot, slot.slot, sizeof link.slot);
    std::memset(slot.slot, 0, sizeof slot.slot);
    link.flags.store(where.flags, std::memory_order_relaxed);
    if (!link.isInList()) {
        link.owner = its;
        link.place.store(guardian, std::memory_order_relaxed);
        link.holder.store(reinterpret_cast<std::uintptr_t>(this), std::memory_order_relaxed);
        setWord(&link, oneLink);
    }
    if (where.receiver != nullptr)
        link.enterRing(where.receiver->incoming_);
    else if (where.next != nullptr)
        link.enterRing(where.next->list().relays);
    link.locate();
    return {&link, link.generation.load(std::memory_order_relaxed)};
}

/// From whatever there is to a list.
LinkList& SignalBase::makeList() {
    if (kind() == manyLinks)
        return list();
    LinkList& all = LinkList::allocate();
    all.signal = this;
    all.owner = owner();
    all.guard.store(guard(), std::memory_order_relaxed);
    if (kind() == oneLink) {
        try {
            all.append(link(), false);
        } catch (...) {
            all.release();
            throw;
        }
    }
    setWord(&all, manyLinks);
    return all;
}

// --- ending ---

void SignalBase::endLinks() noexcept {
    while (hasLinks(std::memory_order_acquire)) // again where a functor's destructor has connected something
        endAll();
}

void SignalBase::endAll() noexcept {
    Graves graves;
    const Exclusive right([this](Affinity& me) {
        return isGuardedBy(me) && allLinks([](const Link& each) { return !isRemote(each); }) &&
               (kind() != manyLinks || LinkRing::isLocal(list().relays));
    });
    if (!hasLinks())
        return; // another thread has ended the last one meanwhile
    if (kind() == oneLink) {
        Link& only = link();
        word_.store(0, std::memory_order_release);
        only.end(false, right);
        only.holder.store(0, std::memory_order_relaxed);
        only.releaseIfUnused(right, graves);
        return;
    }
    LinkList& all = list();
    word_.store(0, std::memory_order_release);
    for (std::uint32_t i = 0; i != all.size; ++i) {
        if (!all.links[i]->has(detail::Ended)) {
            all.links[i]->end(false, right);
            ++all.ended;
        }
    }
    LinkRing::endAll(all.relays, right, graves);
    all.signal = nullptr;
    all.set(detail::Untidy);
    if (!detail::Running::isWalked(&all, all.flags.load(std::memory_order_relaxed), right))
        all.tidy(right, graves);
}

/// Lets go of a link that has just ended.
void SignalBase::lose(Link& link, const Exclusive& right, Graves& graves) noexcept {
    if (!link.isInList()) {
        setWord(link.owner, 0);
        link.holder.store(0, std::memory_order_relaxed);
        link.releaseIfUnused(right, graves);
        return;
    }
    LinkList& all = list();
    ++all.ended;
    all.set(detail::Untidy);
    if (detail::Running::isWalked(&all, all.flags.load(std::memory_order_relaxed), right))
        return;
    // Squeezing only when half of it is dead makes a disconnect cost a constant, and keeps the order. The functor
    // goes at once all the same.
    const std::uint32_t place = link.place.load(std::memory_order_relaxed);
    if (all.ended * 2 > all.size)
        all.tidy(right, graves);
    else if (place + 1 == all.size)
        all.forget(link, right, graves);
    else
        link.releaseIfUnused(right, graves);
}

template <class Matches>
std::size_t SignalBase::endWhere(Matches matches) noexcept {
    Graves graves;
    const Exclusive right([&](Affinity& me) {
        return isGuardedBy(me) && allLinks([&](const Link& each) { return !isRemote(each) || !matches(each); });
    });
    if (kind() == oneLink) {
        if (!matches(link()))
            return 0;
        link().disconnect(right, graves);
        return 1;
    }
    if (kind() != manyLinks)
        return 0;
    LinkList& all = list();
    std::size_t count = 0;
    for (std::uint32_t i = 0; i != all.size; ++i) {
        Link& each = *all.links[i];
        if (each.has(detail::Ended) || !matches(each))
            continue;
        each.end(true, right);
        ++all.ended;
        ++count;
    }
    if (count == 0)
        return 0;
    all.set(detail::Untidy);
    if (!detail::Running::isWalked(&all, all.flags.load(std::memory_order_relaxed), right))
        all.tidy(right, graves);
    return count;
}

std::size_t SignalBase::disconnect(const Tracked* receiver) noexcept {
    if (receiver == nullptr)
        return 0; // and not those that have no receiver
    return endWhere([receiver](const Link& link) { return link.receiver == receiver; });
}

void SignalBase::disconnectAll() noexcept {
    endWhere([](const Link&) { return true; });
}

std::size_t SignalBase::disconnectSlot(const Tracked* receiver, const SlotBlank& slot) noexcept {
    return endWhere([receiver, &slot](const Link& link) {
        return link.receiver == receiver && *link.ops->type == *slot.ops->type &&
               std::memcmp(link.slot, slot.slot, sizeof link.slot) == 0;
    });
}

std::size_t SignalBase::countConnections() const noexcept {
    const Exclusive right([this](Affinity& me) { return const_cast<SignalBase*>(this)->isGuardedBy(me); });
    if (kind() == oneLink)
        return 1;
    return kind() == manyLinks ? list().size - list().ended : 0;
}

// --- handles ---

bool Connection::isConnected() const noexcept {
    return link_ != nullptr && link_->generation.load(std::memory_order_acquire) == generation_;
}

bool Connection::disconnect() noexcept {
    if (!isConnected())
        return false;
    Graves graves;
    const Exclusive right([this](const Affinity& me) { return !isConnected() || link_->belongsTo(me); });
    if (!isConnected())
        return false;
    link_->disconnect(right, graves);
    return true;
}

void Connection::setBlocked(bool blocked) noexcept {
    if (!isConnected())
        return;
    const Exclusive right([this](const Affinity& me) { return !isConnected() || link_->isGuardedBy(me); });
    if (!isConnected())
        return;
    link_->set(detail::Blocked, blocked);
    link_->chooseCall();
}

bool Connection::isBlocked() const noexcept { return isConnected() && link_->has(detail::Blocked); }

} // namespace halyard
