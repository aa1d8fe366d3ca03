#include <halyard/signals/signal.h>

#include <algorithm>
#include <cstring>

namespace halyard {

using detail::Link;
using detail::LinkList;
using detail::SlotBlank;

SignalBase::~SignalBase() {
    while (isConnected()) // again where a functor's destructor has connected something
        endAll();
}

void SignalBase::endAll() noexcept {
    if (hasOneLink()) {
        Link& only = link();
        word_ = 0;
        only.set(Link::Orphan);
        only.end(false);
        only.releaseIfUnused();
        return;
    }
    LinkList& all = list();
    word_ = 0;
    all.signal = nullptr;
    for (std::uint32_t i = 0; i != all.size; ++i) {
        if (!all.links[i]->has(Link::Ended)) {
            all.links[i]->end(false);
            ++all.ended;
        }
    }
    detail::LinkRing::endAll(all.relays);
    all.untidy = true;
    if (all.depth == 0)
        all.tidy();
}

Tracked* SignalBase::owner() const noexcept {
    if (hasOneLink())
        return link().owner;
    return isConnected() ? list().owner : reinterpret_cast<Tracked*>(word_);
}

Connection SignalBase::attach(SlotBlank& slot) {
    if (slot.missing) {
        detail::reportMisuse("connect: there is no slot");
        return {};
    }
    return place(slot, nullptr, nullptr, false);
}

Connection SignalBase::attachTo(Tracked* receiver, SlotBlank& slot, ConnectionType type) {
    if (receiver == nullptr || slot.missing) {
        detail::reportMisuse(receiver == nullptr ? "connect: there is no receiver" : "connect: there is no slot");
        return {};
    }
    Executor* const home = receiver->executor();
    if (home != nullptr && home != Executor::current()) {
        detail::reportMisuse("connect: the receiver lives on another thread");
        return {};
    }
    if (type == ConnectionType::Queued && (home == nullptr || !slot.ops->canBeQueued)) {
        detail::reportMisuse(home == nullptr ? "connect: a queued slot needs a receiver on a thread with a loop"
                                             : "connect: a queued slot needs arguments that can be copied");
        return {};
    }
    return place(slot, receiver, &receiver->incoming_, type == ConnectionType::Queued);
}

Connection SignalBase::attachRelay(SignalBase& next, SlotBlank& slot) {
    return place(slot, nullptr, &next.makeList().relays, false);
}

Connection SignalBase::place(SlotBlank& slot, Tracked* receiver, Link** ring, bool queued) {
    Link& link = Link::allocate();
    LinkList* all = nullptr;
    if (isConnected()) {
        try {
            all = &makeList();
            link.ops = nullptr;
            all->append(link);
        } catch (...) {
            link.set(Link::Orphan);
            link.releaseIfUnused();
            throw;
        }
    }
    link.receiver = receiver;
    link.ops = slot.ops;
    std::memcpy(link.slot, slot.slot, sizeof link.slot);
    std::memset(slot.slot, 0, sizeof slot.slot);
    if (queued)
        link.set(Link::Queued);
    link.chooseCall();
    link.signal = this;
    if (all == nullptr) {
        link.owner = owner();
        word_ = reinterpret_cast<std::uintptr_t>(&link) | oneLink;
    }
    if (ring != nullptr)
        link.enterRing(*ring);
    return {&link, link.generation};
}

/// From whatever there is to a list.
LinkList& SignalBase::makeList() {
    if (isConnected() && !hasOneLink())
        return list();
    auto* all = new LinkList;
    all->signal = this;
    all->owner = owner();
    if (hasOneLink()) {
        try {
            all->append(link());
        } catch (...) {
            delete all;
            throw;
        }
    }
    word_ = reinterpret_cast<std::uintptr_t>(all) | manyLinks;
    return *all;
}

/// Lets go of a link that has just ended.
void SignalBase::lose(Link& link) noexcept {
    if (!link.has(Link::InList)) {
        word_ = reinterpret_cast<std::uintptr_t>(link.owner);
        link.set(Link::Orphan);
        link.releaseIfUnused();
        return;
    }
    LinkList& all = list();
    ++all.ended;
    all.untidy = true;
    if (all.depth != 0)
        return;
    // Squeezing only when half of it is dead makes a disconnect cost a constant, and keeps the order. The functor
    // goes at once all the same.
    if (all.ended * 2 > all.size || link.isInUse())
        all.tidy();
    else if (link.index + 1 == all.size)
        all.forget(link);
    else
        link.destroySlot();
}

template <class Matches>
std::size_t SignalBase::endWhere(Matches matches) noexcept {
    if (hasOneLink()) {
        Link& only = link();
        if (!matches(only))
            return 0;
        only.disconnect();
        return 1;
    }
    if (!isConnected())
        return 0;
    LinkList& all = list();
    std::size_t count = 0;
    // A walk of its own: functors are destroyed when it ends, and they may do anything to this signal.
    const detail::ListWalk walking(all);
    for (std::uint32_t i = 0, end = all.size; i != end; ++i) {
        Link& each = *all.links[i];
        if (each.has(Link::Ended) || !matches(each))
            continue;
        each.end(true);
        ++all.ended;
        all.untidy = true;
        ++count;
    }
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

std::size_t SignalBase::connectionCount() const noexcept {
    if (hasOneLink())
        return 1;
    return isConnected() ? list().size - list().ended : 0;
}

bool Connection::isConnected() const noexcept { return link_ != nullptr && link_->generation == generation_; }

bool Connection::disconnect() noexcept {
    if (!isConnected())
        return false;
    link_->disconnect();
    return true;
}

void Connection::setBlocked(bool blocked) noexcept {
    if (!isConnected())
        return;
    link_->set(Link::Blocked, blocked);
    link_->chooseCall();
}

bool Connection::isBlocked() const noexcept { return isConnected() && link_->has(Link::Blocked); }

} // namespace halyard
