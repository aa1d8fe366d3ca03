#include <halyard/signals/link.h>

#include <halyard/signals/signal.h>

#include "cells.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace halyard::detail {

namespace {

using LinkCells = CellPool<Link, &Link::next>;
using ListCells = CellPool<LinkList, &LinkList::nextFree>;

MisuseHandler misuseHandler = [](const char* sentence) { std::fprintf(stderr, "halyard: %s\n", sentence); };

} // namespace

void setMisuseHandler(MisuseHandler handler) noexcept { misuseHandler = handler; }
void reportMisuse(const char* sentence) { misuseHandler(sentence); }

CallsOver::~CallsOver() {
    if (link_ != nullptr)
        link_->callsAreOver();
}

void CallsOver::run() { std::exchange(link_, nullptr)->callsAreOver(); }

const Tracked* CallsOver::receiver() const noexcept { return link_->has(Revoked) ? nullptr : link_->receiver; }

SlotBox::~SlotBox() = default;

Graves::~Graves() {
    while (first_ != nullptr)
        delete std::exchange(first_, first_->next);
}

void Graves::add(SlotBox* box) noexcept {
    box->next = first_;
    first_ = box;
}

Link& Link::allocate() {
    Link& link = LinkCells::take();
    link.flags.store(0, std::memory_order_relaxed);
    link.ops = nullptr;
    link.receiver = nullptr;
    link.owner = nullptr;
    link.next = nullptr;
    return link;
}

/// Destroys the functor of a link that has ended, and gives the cell back when no list holds it any more; unless
/// somebody is still at it, who then comes back here.
void Link::releaseIfUnused(const Exclusive& right, Graves& graves) noexcept {
    if (has(InFlight))
        return;
    if (Running::isWalked(this, flags.load(std::memory_order_relaxed), right)) {
        set(Untidy);
        return;
    }
    buryFunctor(graves);
    if (holder.load(std::memory_order_relaxed) != 0)
        return;
    leaveRing();
    place.store(0, std::memory_order_relaxed);
    LinkCells::giveBack(*this);
}

void Link::buryFunctor(Graves& graves) noexcept {
    const SlotOps* const table = std::exchange(ops, nullptr);
    if (table == nullptr || !table->boxed)
        return;
    SlotBox* box = nullptr;
    std::memcpy(&box, slot, sizeof box);
    graves.add(box);
}

void Link::enterRing(Link*& first) noexcept {
    next = first;
    previous = &first;
    if (next != nullptr)
        next->previous = &next;
    std::atomic_ref(first).store(this, std::memory_order_release); // see Tracked::endConnections()
}

void Link::leaveRing() noexcept {
    if (previous == nullptr)
        return;
    std::atomic_ref(*previous).store(next, std::memory_order_release); // see Tracked::endConnections()
    if (next != nullptr)
        next->previous = previous;
    previous = nullptr;
    next = nullptr;
}

void Link::locate() noexcept {
    const std::uint32_t here = guard();
    std::uint32_t there = here; // and so it is for one that has left the ring, whose receiver may be gone
    if (previous != nullptr && has(Relay)) {
        SignalBase* target = nullptr;
        std::memcpy(&target, slot + sizeof(void*), sizeof target);
        there = target->list().guard.load(std::memory_order_relaxed);
    } else if (previous != nullptr) {
        there = receiver->affinity().id;
    }
    set(Remote, there != here);
    if (ops != nullptr)
        chooseCall();
}

Tracked* Link::sender() const noexcept { return isInList() ? list().owner : owner; }

SignalBase* Link::signal() const noexcept {
    return isInList() ? list().signal : reinterpret_cast<SignalBase*>(holder.load(std::memory_order_relaxed));
}

void Link::end(bool revoke, const Exclusive& right) noexcept {
    generation.store(generation.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    set(Ended);
    chooseCall();
    if (revoke)
        set(Revoked);
    if (has(InFlight) && !askWhenOver())
        forgetCalls(right);
    // Calls on their way outlive the signal, but not the receiver: it must still find them.
    if (revoke || !has(InFlight))
        leaveRing();
}

void Link::disconnect(const Exclusive& right, Graves& graves) noexcept {
    SignalBase& its = *signal();
    end(true, right);
    its.lose(*this, right, graves);
}

bool Link::askWhenOver() noexcept {
    Executor* const executor = receiver->executor();
    if (executor == nullptr)
        return false; // it has dropped them
    std::unique_ptr<CallsOver> notice(new (std::nothrow) CallsOver(*this));
    if (notice == nullptr)
        return true; // better a cell that is never used again than one that is used too early
    CallsOver* const posted = notice.get();
    const std::unique_ptr<Runnable> refused = executor->post(std::move(notice));
    if (refused != nullptr)
        posted->forget();
    return refused == nullptr;
}

void Link::forgetCalls(const Exclusive& right) noexcept {
    set(InFlight, false);
    if (right.isEverybodys())
        set(WalkedElsewhere, Running::isWalkedElsewhere(this, guard()));
}

void Link::callsAreOver() noexcept {
    Graves graves;
    const Exclusive right([this](const Affinity& me) { return belongsTo(me); });
    forgetCalls(right);
    leaveRing();
    releaseIfUnused(right, graves);
}

std::unique_ptr<Runnable> Link::post(std::unique_ptr<Runnable> task) {
    Graves graves;
    bool tell = false;
    {
        const Exclusive right([this](const Affinity& me) { return isGuardedBy(me) && !(has(Once) && has(Remote)); });
        if (has(Ended))
            return task;
        Executor* const executor = receiver->executor();
        if (executor != nullptr) {
            if (!has(InFlight))
                set(InFlight);
            task = executor->post(std::move(task));
            if (has(Once)) {
                SignalBase& its = *signal();
                end(false, right);
                its.lose(*this, right, graves);
            }
        } else if (!has(Told)) {
            set(Told);
            tell = true;
        }
    }
    if (tell)
        reportMisuse("a queued slot is not called: its receiver's thread has no loop");
    return task;
}

bool Link::isOnly() noexcept {
    const Exclusive right([this](const Affinity& me) { return isGuardedBy(me); });
    return !isInList() || list().size - list().ended == 1;
}

bool Link::expend() noexcept {
    Graves graves;
    const Exclusive right([this](const Affinity& me) { return belongsTo(me); });
    if (has(Ended))
        return false;
    disconnect(right, graves);
    return true;
}

bool LinkRing::isLocal(const Link* first) noexcept {
    for (; first != nullptr; first = first->next)
        if (first->has(Remote))
            return false;
    return true;
}

void LinkRing::endAll(Link*& first, const Exclusive& right, Graves& graves) noexcept {
    while (first != nullptr) {
        Link& link = *first;
        if (link.has(Ended)) {
            link.set(Revoked);
            link.leaveRing();
        } else {
            link.disconnect(right, graves);
        }
    }
}

/// Those that come from signals of one object.
std::size_t LinkRing::endFrom(const Tracked& sender, Link* first, const Exclusive& right, Graves& graves) noexcept {
    std::size_t ended = 0;
    for (Link* next = first; next != nullptr;) {
        Link& link = *std::exchange(next, next->next);
        if (!link.has(Ended) && link.sender() == &sender) {
            link.disconnect(right, graves);
            ++ended;
        }
    }
    return ended;
}

LinkList& LinkList::allocate() {
    LinkList& list = ListCells::take();
    list.flags.store(0, std::memory_order_relaxed);
    list.size = list.ended = 0;
    list.relays = nullptr;
    return list;
}

void LinkList::release() noexcept {
    guard.store(0, std::memory_order_relaxed);
    links.reset();
    capacity = 0;
    outgrown.reset();
    ListCells::giveBack(*this);
}

void LinkList::append(Link& link, bool isWalked) {
    if (size == capacity) {
        const std::uint32_t wider = capacity == 0 ? 4 : capacity + capacity / 2;
        auto array = std::make_unique_for_overwrite<Link*[]>(wider);
        std::copy_n(links.get(), size, array.get());
        if (isWalked) {
            if (outgrown == nullptr)
                outgrown = std::make_unique<std::vector<Array>>();
            outgrown->push_back(std::move(links));
            set(Untidy);
        }
        links = std::move(array);
        capacity = wider;
    }
    link.place.store(size, std::memory_order_relaxed);
    link.holder.store(reinterpret_cast<std::uintptr_t>(this) | Link::inList, std::memory_order_relaxed);
    links[size++] = &link;
}

void LinkList::forget(Link& last, const Exclusive& right, Graves& graves) noexcept {
    const auto drop = [&](Link& link) {
        --size;
        --ended;
        link.holder.store(0, std::memory_order_relaxed);
        link.place.store(guard.load(std::memory_order_relaxed), std::memory_order_relaxed);
        link.releaseIfUnused(right, graves);
    };
    drop(last);
    while (size != 0 && links[size - 1]->has(Ended))
        drop(*links[size - 1]);
}

void LinkList::tidy(const Exclusive& right, Graves& graves) noexcept {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i != size; ++i) {
        Link& each = *links[i];
        if (each.has(Ended)) {
            each.holder.store(0, std::memory_order_relaxed);
            each.place.store(guard.load(std::memory_order_relaxed), std::memory_order_relaxed);
            each.releaseIfUnused(right, graves);
        } else {
            each.place.store(kept, std::memory_order_relaxed);
            links[kept++] = &each;
        }
    }
    size = kept;
    ended = 0;
    set(Untidy, false);
    outgrown.reset();
    if (signal == nullptr || (size == 0 && relays == nullptr)) {
        if (signal != nullptr)
            signal->word_.store(reinterpret_cast<std::uintptr_t>(owner), std::memory_order_release);
        release();
    }
}

} // namespace halyard::detail
