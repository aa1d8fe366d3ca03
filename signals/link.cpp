#include <halyard/signals/link.h>

#include <halyard/signals/signal.h>

#include "shared_blocks.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace halyard::detail {

namespace {

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

const Way* SlotOps::choose(std::uint32_t flags) const noexcept {
    if ((flags & (Ended | Blocked)) != 0)
        return ended;
    if ((flags & Blocking) != 0)
        return (flags & Remote) != 0 ? blocking : deadlock;
    if ((flags & Queued) != 0 || ((flags & Remote) != 0 && (flags & (Direct | Relay)) == 0))
        return queued;
    return (flags & Once) != 0 ? once : direct;
}

SlotBox::~SlotBox() = default;
bool SlotBox::isSame(const SlotBox&) const noexcept { return false; }

void Graves::destroy() noexcept {
    while (first_ != nullptr)
        delete std::exchange(first_, first_->next);
}

void Graves::add(SlotBox* box) noexcept {
    box->next = first_;
    first_ = box;
}

/// Destroys the functor of a link that has ended, and gives the cell back when no list holds it any more; unless
/// somebody is still at it, who then comes back here.
void Link::releaseIfUnused(const Exclusive& right, Graves& graves) noexcept {
    // Nearly always nothing runs on the thread, or nothing that has to be asked for more.
    const bool isCalm = !right.isEverybodys() && right.thread().emissions == nullptr;
    if (!isCalm || has(InFlight | WalkedElsewhere)) [[unlikely]] {
        if (has(InFlight))
            return;
        if (Running::isWalked(this, state, right)) {
            set(Untidy);
            return;
        }
    }
    buryFunctor(graves);
    if (holder.load(std::memory_order_relaxed) != 0)
        return;
    leaveRing();
    state.guardBy(Affinity::noId);
    LinkCells::giveBack(*this);
}

void Link::buryFunctor(Graves& graves) noexcept {
    if (!ops().boxed)
        return;
    SlotBox* box = nullptr;
    std::memcpy(&box, slot, sizeof box);
    std::memset(slot, 0, sizeof slot);
    if (box != nullptr)
        graves.add(box);
}

void Link::locate() noexcept {
    const std::uint32_t here = guard();
    std::uint32_t there = here; // and so it is for one that has left the ring, whose receiver may be gone
    if (previous != nullptr && has(Relay)) {
        SignalBase* target = nullptr;
        std::memcpy(&target, slot, sizeof target);
        there = target->list().state.guard();
    } else if (previous != nullptr) {
        there = receiver->affinity().id;
    }
    set(Remote, there != here);
    chooseWay();
}

Tracked* Link::sender() const noexcept { return isInList() ? list().owner : owner; }

SignalBase* Link::signal() const noexcept {
    return isInList() ? list().signal : reinterpret_cast<SignalBase*>(holder.load(std::memory_order_relaxed));
}

void Link::end(bool revoke, const Exclusive& right) noexcept {
    generation.store(generation.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    state.set(revoke ? Ended | Revoked : Ended);
    way.store(ops().ended, std::memory_order_relaxed);
    if (has(InFlight) && !askWhenOver())
        forgetCalls(right);
    // Calls on their way outlive the signal, but not the receiver: it must still find them.
    if (revoke || !has(InFlight))
        leaveRing();
}

void Link::leave(bool revoke, const Exclusive& right, Graves& graves) noexcept {
    end(revoke, right);
    if (isInList()) {
        list().lose(*this, right, graves);
        return;
    }
    signal()->setWord(owner, 0);
    holder.store(0, std::memory_order_relaxed);
    releaseIfUnused(right, graves);
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
    {
        const Exclusive right([this](const Affinity& me) { return isGuardedBy(me) && !(has(Once) && has(Remote)); });
        if (has(Ended))
            return task;
        if (Executor* const executor = receiver->executor()) [[likely]] {
            if (!has(InFlight))
                set(InFlight);
            task = executor->post(std::move(task));
            if (has(Once)) [[unlikely]]
                leave(false, right, graves);
            return task;
        }
        if (has(Told))
            return task;
        set(Told);
    }
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

} // namespace halyard::detail
