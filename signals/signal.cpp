#include <halyard/signals/signal.h>

#include "shared_blocks.h"

#include <cstring>

namespace halyard {

using detail::Affinity;
using detail::Exclusive;
using detail::Graves;
using detail::Link;
using detail::LinkCells;
using detail::LinkList;
using detail::LinkRing;
using detail::SlotBlank;

/// Where a new connection belongs.
struct SignalBase::Place {
    Tracked* receiver = nullptr;
    SignalBase* next = nullptr; ///< of a relay
    std::uint32_t flags = 0;
};

namespace {

bool isRemote(const Link& link) noexcept { return link.has(detail::Remote); }

/// Whether both are the same member function.
bool holdsSame(const Link& link, const SlotBlank& slot) noexcept {
    if (link.ops().type != slot.ops->type && *link.ops().type != *slot.ops->type)
        return false;
    return slot.ops->boxed ? detail::boxOf(link.slot)->isSame(*slot.box())
                           : std::memcmp(link.slot, slot.slot, sizeof link.slot) == 0;
}

} // namespace

// --- who may change it ---

bool SignalBase::isGuardedBy(Affinity& thread) noexcept {
    std::uintptr_t nobody = 0;
    switch (kind()) {
    case oneLink:
        return link().state.guard() == thread.id;
    case manyLinks:
        return list().state.guard() == thread.id;
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
        return link().state.guard();
    case manyLinks:
        return list().state.guard();
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
        link().state.guardBy(thread.id);
        locate(link());
        return;
    }
    LinkList& all = list();
    all.state.guardBy(thread.id);
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

/// And where there is none.
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

namespace {

/// Why this cannot be connected; null where it can.
const char* refusalOf(const Tracked* receiver, const SlotBlank& slot, ConnectionType type,
                      ConnectionType way) noexcept {
    if (receiver == nullptr)
        return "connect: there is no receiver";
    if (slot.missing)
        return "connect: there is no slot";
    if ((type & ConnectionType::Unique) && !slot.ops->isMember)
        return "connect: only a member function can be a unique slot";
    if (way == ConnectionType::Queued && receiver->executor() == nullptr)
        return "connect: a queued slot needs a receiver on a thread with a loop";
    return nullptr;
}

std::uint32_t flagsOf(ConnectionType type, ConnectionType way) noexcept {
    return (way == ConnectionType::Queued ? detail::Queued : 0U) |
           (way == ConnectionType::Direct ? detail::Direct : 0U) |
           (way == ConnectionType::BlockingQueued ? detail::Blocking : 0U) |
           ((type & ConnectionType::SingleShot) ? detail::Once : 0U);
}

} // namespace

Connection SignalBase::attachTo(Tracked* receiver, SlotBlank& slot, ConnectionType type) {
    constexpr unsigned wayMask = 3;
    const auto way = static_cast<ConnectionType>(static_cast<unsigned>(type) & wayMask);
    const auto bothAreHere = [&](Affinity& me) { return isGuardedBy(me) && &receiver->affinity() == &me; };
    if (type == ConnectionType::Auto && receiver != nullptr && !slot.missing && !slot.ops->movesArguments) [[likely]] {
        const Exclusive right(bothAreHere);
        return place(slot, {receiver, nullptr, 0}, right);
    }
    const char* refusal = refusalOf(receiver, slot, type, way);
    if (refusal == nullptr) {
        const Exclusive right(bothAreHere);
        const auto isSame = [&](const Link& link) { return link.receiver == receiver && holdsSame(link, slot); };
        if ((type & ConnectionType::Unique) && !allLinks([&](const Link& link) { return !isSame(link); }))
            return {};
        if (!slot.ops->movesArguments || mayMoveArguments(way)) [[likely]]
            return place(slot, {receiver, nullptr, flagsOf(type, way)}, right);
        refusal = "connect: arguments that can only be moved have one receiver where one is queued";
    }
    detail::reportMisuse(refusal);
    return {};
}

/// Whether one more connection, called in this way, leaves arguments that can only be moved to one.
bool SignalBase::mayMoveArguments(ConnectionType way) const noexcept {
    if (way == ConnectionType::Queued || way == ConnectionType::BlockingQueued)
        return allLinks([](const Link&) { return false; });
    return allLinks([](const Link& link) { return !link.has(detail::Queued | detail::Blocking); });
}

Connection SignalBase::attachRelay(SignalBase& next, SlotBlank& slot) {
    const Exclusive right([&](Affinity& me) { return isGuardedBy(me) && next.isGuardedBy(me); });
    next.makeList();
    return place(slot, {nullptr, &next, detail::Relay}, right);
}

Connection SignalBase::place(SlotBlank& slot, const Place& where, const Exclusive& right) {
    LinkList* all = nullptr;
    if (hasLinks()) {
        all = &makeList();
        all->makeRoom(detail::Running::isWalked(all, all->state, right));
    }
    Link& link = LinkCells::take();
    link.receiver = where.receiver;
    std::memcpy(link.slot, slot.slot, sizeof link.slot);
    std::memset(slot.slot, 0, sizeof slot.slot);
    link.way.store(slot.ops->direct, std::memory_order_relaxed);
    if (all != nullptr) {
        link.state.begin(where.flags | Affinity::noId);
        all->append(link);
    } else {
        link.owner = kind() == claimed ? nullptr : pointee<Tracked>();
        link.state.begin(where.flags | (right.isEverybodys() ? guard() : right.thread().id));
        link.holder.store(reinterpret_cast<std::uintptr_t>(this), std::memory_order_relaxed);
        setWord(&link, oneLink);
    }
    if (where.receiver != nullptr)
        link.enterRing(where.receiver->incoming_);
    else if (where.next != nullptr)
        link.enterRing(where.next->list().relays);
    if (right.isEverybodys())
        link.locate();
    else if (where.flags != 0)
        link.chooseWay(); // everybody concerned lives here
    return {&link, link.generation.load(std::memory_order_relaxed)};
}

/// From whatever there is to a list.
LinkList& SignalBase::makeList() {
    if (kind() == manyLinks)
        return list();
    LinkList& all = LinkList::allocate();
    all.signal = this;
    all.owner = owner();
    all.state.begin(guard());
    if (kind() == oneLink) {
        link().state.guardBy(Affinity::noId);
        all.append(link());
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
    all.settle(right, graves);
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
    all.settle(right, graves);
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
    return endWhere([receiver, &slot](const Link& link) { return link.receiver == receiver && holdsSame(link, slot); });
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
    link_->chooseWay();
}

bool Connection::isBlocked() const noexcept { return isConnected() && link_->has(detail::Blocked); }

} // namespace halyard
