#pragma once

#include <halyard/signals/affinity.h>
#include <halyard/signals/link.h>
#include <halyard/signals/tracked.h>

#include <atomic>
#include <cstdint>

/// How a signal's Links are called: what stands for that while it lasts. Nothing here is for users of signals.
namespace halyard::detail {

/// What runs on a thread: one emission, or one queued call. It keeps its Links where they are, and knows who calls.
struct HALYARD_API Running {
    // What target is beside a pointer.
    static constexpr std::uintptr_t isLink = 1; // as in the word of a signal
    static constexpr std::uintptr_t isQueued = 2;
    static constexpr std::uintptr_t kindMask = 3;

    Running* outer;
    std::uintptr_t target; ///< the Link or the LinkList that is walked
    Link* ofList;          ///< the one of the list that is called
    bool isAwaited;        ///< of the list: it may be at what is outdated there

    const void* what() const noexcept { return reinterpret_cast<const void*>(target & ~kindMask); }
    Link* link() const noexcept {
        return (target & isLink) != 0 ? reinterpret_cast<Link*>(target & ~kindMask) : nullptr;
    }
    LinkList& list() const noexcept { return *reinterpret_cast<LinkList*>(target); }
    const Link* current() const noexcept { return (target & isLink) != 0 ? link() : ofList; }
    LinkState& state() const noexcept { return (target & isLink) != 0 ? link()->state : list().state; }
    /// Of the signal; null where it has none, or is gone.
    std::atomic_ref<Tracked*> owner() const noexcept {
        return std::atomic_ref((target & isLink) != 0 ? link()->owner : list().owner);
    }
    void enter(Affinity& thread, Running* inside, std::uintptr_t walked) noexcept {
        outer = inside;
        target = walked;
        thread.emissions = this;
    }
    /// The end of a walk that somebody counted on.
    void leaveTidy(Affinity& thread) noexcept;
    /// The same of the innermost on this thread, for who has not kept its address.
    [[gnu::cold]] static void leaveInnermost() noexcept;

    /// Whose signal the innermost call into `receiver` on this thread came from.
    static Tracked* callerOf(const Tracked& receiver) noexcept;
    static bool isOf(const Tracked& owner) noexcept; ///< Whether an emission of a signal of it runs on this thread.
    /// An owner has gone: nobody asks for it any more.
    static void forgetOwner(const Tracked& owner) noexcept;
    /// Calls `see` with each that walks the Link or LinkList, as far as the right of the asker reaches.
    template <class See>
    static void forEachWalk(const void* target, const Exclusive& right, See see);
    /// Whether there is one.
    static bool isWalked(const void* target, const LinkState& state, const Exclusive& right) noexcept;
    /// The same, by another thread than `guard`. The world has stopped.
    static bool isWalkedElsewhere(const void* target, std::uint32_t guard) noexcept;
};

template <class See>
void Running::forEachWalk(const void* target, const Exclusive& right, See see) {
    const auto ofThread = [&](const Affinity& thread) {
        for (Running* each = thread.emissions; each != nullptr; each = each->outer)
            if (each->what() == target)
                see(*each);
    };
    if (right.isEverybodys())
        StoppedWorld::forEach(ofThread);
    else
        ofThread(right.thread());
}

/// An emission to the one Link of a signal that this thread guards: what nearly all are, and so inline to the last
/// instruction. A call and its end cost 60 of them less than by way of Emission.
struct SingleEmission {
    /// Null, and nothing has happened, where it is no such emission. `outer` is what runs on the thread already.
    [[gnu::always_inline]] static Link* begin(const SignalBase& signal, Affinity& me, Running* outer,
                                              Running& running) noexcept;

    [[gnu::always_inline]] static void end(Affinity& me, Running* outer, const Link& link) noexcept {
        me.inSection.store(true, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (me.mustWait.load(std::memory_order_acquire) || link.has(Untidy | WalkedElsewhere)) [[unlikely]] {
            me.inSection.store(false, std::memory_order_release);
            Running::leaveInnermost();
            return;
        }
        me.emissions = outer;
        me.inSection.store(false, std::memory_order_release);
    }
};

/// A call that was queued.
class QueuedEmission {
  public:
    explicit QueuedEmission(Link& link) noexcept : me_(Affinity::current()), outer_(me_.emissions), link_(link) {
        const Section section(me_);
        running_.enter(me_, outer_, reinterpret_cast<std::uintptr_t>(&link) | Running::isLink | Running::isQueued);
    }
    QueuedEmission(const QueuedEmission&) = delete;
    QueuedEmission& operator=(const QueuedEmission&) = delete;
    ~QueuedEmission() { SingleEmission::end(me_, outer_, link_); }

  private:
    Affinity& me_;
    Running* const outer_;
    Link& link_;
    Running running_; // NOLINT(cppcoreguidelines-pro-type-member-init): enter() does
};

/// Any emission.
class HALYARD_API Emission {
  public:
    /// An emission of `signal`.
    explicit Emission(SignalBase& signal) noexcept;
    Emission(const Emission&) = delete;
    Emission& operator=(const Emission&) = delete;
    ~Emission();

    /// The links to call, in order.
    Link* const* begin() const noexcept { return begin_; }
    Link* const* end() const noexcept { return end_; }
    Link& at(Link* link) noexcept {
        running_.ofList = link;
        return *link;
    }
    /// Another thread guards the signal: wayFor() tells how to call each link.
    bool asks() const noexcept { return asks_; }
    static const Way* wayFor(const Link& link) noexcept;

  private:
    static bool isSilenced(const Tracked* owner) noexcept { return owner != nullptr && owner->signalsAreBlocked(); }
    friend struct SingleEmission;
    void enter(SignalBase& signal) noexcept;
    void beginElsewhere(SignalBase& signal) noexcept;
    bool isCalledElsewhere() const noexcept;

    Affinity& me_;
    Running running_{};
    Link* only_ = nullptr; ///< all that a list of one holds
    Link* const* begin_ = nullptr;
    Link* const* end_ = nullptr;
    bool asks_ = false;
};

} // namespace halyard::detail
