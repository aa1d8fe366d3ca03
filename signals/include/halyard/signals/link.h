#pragma once

#include <halyard/signals/affinity.h>
#include <halyard/signals/connection.h>
#include <halyard/signals/executor.h>
#include <halyard/signals/tracked.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <typeinfo>
#include <vector>

/// How connections are kept. Nothing here is for users of signals.
///
/// A connection is one Link, a cell of fixed size. A signal with a single connection points at the Link itself;
/// one with several points at a LinkList, whose array the emission walks in order, calling every Link without a
/// test. All that a slot may do to the connections is made harmless by three rules:
///
///  - a Link that ends gets the typed no-op as its `call`, so that a walk on its way passes over it;
///  - no Link is freed and no array is moved while a walk is on it (an Emission stands for it): the end of the walk
///    tidies up;
///  - a slot's functor is destroyed last, when nothing of the signal is touched any more, because its destructor
///    may do anything too.
///
/// Every signal is guarded by one thread, which emits, connects and disconnects in Sections; it is the thread of its
/// owner, or becomes that again when the owner has moved. For all others the world stops. A Link whose receiver lives
/// on another thread than the one that guards its signal is remote: what ends it stops the world too.
namespace halyard::detail {

struct Link;
struct LinkList;

/// Any function pointer; what it really is, only the template that made it knows.
using Thunk = void (*)();

/// What a Link's slot can do, one static table for each type of slot.
struct SlotOps {
    Thunk (*choose)(std::uint32_t flags); ///< the function that an emission calls, after the Link's flags
    const std::type_info* type;           ///< of the slot
    bool boxed;                           ///< it lives on the heap
    bool isMember;                        ///< a member function of the receiver
    bool movesArguments;                  ///< they cannot all be copied: there must be one receiver only
};

/// A functor that does not fit a Link.
struct HALYARD_API SlotBox : Pooled {
    SlotBox() = default;
    SlotBox(const SlotBox&) = delete;
    SlotBox& operator=(const SlotBox&) = delete;
    virtual ~SlotBox();

    SlotBox* next = nullptr; ///< once its Link has ended
};

/// The functors of ended Links, destroyed when it ends itself: made before a Section, it outlasts that.
class HALYARD_API Graves {
  public:
    Graves() = default;
    Graves(const Graves&) = delete;
    Graves& operator=(const Graves&) = delete;
    ~Graves();

    void add(SlotBox* box) noexcept;

  private:
    SlotBox* first_ = nullptr;
};

/// The right to change what is wanted, taken in the cheapest way that suffices.
class Exclusive {
  public:
    /// `suffices` tells whether a Section of the given thread, which is the calling one, does.
    template <class Suffices>
    explicit Exclusive(Suffices suffices) noexcept {
        Affinity& me = Affinity::current();
        section_.emplace(me);
        if (suffices(me)) [[likely]]
            return;
        section_.reset();
        world_.emplace();
    }

    bool isEverybodys() const noexcept { return world_.has_value(); } ///< all that all threads have

  private:
    std::optional<Section> section_;
    std::optional<StoppedWorld> world_;
};

/// The links that end with something: with a receiver, or with the signal that a relay feeds.
struct HALYARD_API LinkRing {
    static bool isLocal(const Link* first) noexcept; ///< none of them belongs to two threads
    static void endAll(Link*& first, const Exclusive& right, Graves& graves) noexcept;
    static std::size_t endFrom(const Tracked& sender, Link* first, const Exclusive& right, Graves& graves) noexcept;
};

/// What Links and LinkLists are asked about alike.
enum LinkFlag : std::uint16_t {
    Queued = 1,             ///< the slot is called through the receiver's executor
    Direct = 2,             ///< it is called by the emitting thread, whichever that is
    Blocking = 4,           ///< the emission waits for it
    Once = 8,               ///< it ends before its first call
    Remote = 16,            ///< it belongs to two threads
    Blocked = 32,           ///< connected, but not called
    Ended = 64,             ///< no longer connected
    Revoked = 128,          ///< ended by a disconnect or by its receiver: queued calls are dropped
    InFlight = 256,         ///< calls may be on their way: the executor tells when they are over
    Untidy = 512,           ///< the last walk that ends has to free something
    WalkedElsewhere = 1024, ///< by another thread than the one that guards it
    Relay = 2048,           ///< its slot is another signal
    Told = 4096,            ///< that it cannot be called: once is enough
};

struct HALYARD_API Link {
    static constexpr std::size_t slotSize = 16;
    static constexpr std::uintptr_t inList = 1;

    std::atomic<std::uint32_t> place = 0;      ///< in its LinkList; where it is in none, the id of who guards it
    std::atomic<std::uint32_t> generation = 0; ///< counts the lives of this cell, so that an old handle finds nobody
    std::atomic<std::uint16_t> flags = 0;
    std::atomic<Thunk> call = nullptr;
    Tracked* receiver = nullptr;
    alignas(void*) std::byte slot[slotSize] = {}; ///< the slot itself, or a pointer to its box
    Tracked* owner = nullptr;                     ///< the emitting object, while this link is all that its signal has
    const SlotOps* ops = nullptr;                 ///< null once the functor is gone
    std::atomic<std::uintptr_t> holder = 0;       ///< its signal, or, tagged, its LinkList; null once it is in neither
    Link* next = nullptr;                         ///< in the ring of the receiver
    Link** previous = nullptr;

    bool has(LinkFlag flag) const noexcept { return (flags.load(std::memory_order_relaxed) & flag) != 0; }
    void set(LinkFlag flag, bool on = true) noexcept {
        const unsigned before = flags.load(std::memory_order_relaxed);
        flags.store(static_cast<std::uint16_t>(on ? before | flag : before & ~unsigned{flag}),
                    std::memory_order_release);
    }
    void chooseCall() noexcept {
        call.store(ops->choose(flags.load(std::memory_order_relaxed)), std::memory_order_relaxed);
    }

    bool isInList() const noexcept { return (holder.load(std::memory_order_relaxed) & inList) != 0; }
    LinkList& list() const noexcept {
        return *reinterpret_cast<LinkList*>(holder.load(std::memory_order_relaxed) & ~inList);
    }
    SignalBase* signal() const noexcept;
    Tracked* sender() const noexcept; ///< The emitting object; null where there is none.
    std::uint32_t guard() const noexcept;
    bool isGuardedBy(const Affinity& thread) const noexcept { return guard() == thread.id; }
    /// Whether a Section of `thread` is enough to end it.
    bool belongsTo(const Affinity& thread) const noexcept { return isGuardedBy(thread) && !has(Remote); }

    static Link& allocate();
    void enterRing(Link*& first) noexcept;
    void leaveRing() noexcept;
    /// Sees anew whether it is remote, and how it is called: somebody has moved.
    void locate() noexcept;
    /// Takes the connection out of its signal, and its queued calls back.
    void disconnect(const Exclusive& right, Graves& graves) noexcept;
    /// Ends the connection for everyone but a walk that is on it, and for queued calls unless they are revoked.
    void end(bool revoke, const Exclusive& right) noexcept;
    /// Frees what an ended link holds, and itself, as far as nobody is at it any more.
    void releaseIfUnused(const Exclusive& right, Graves& graves) noexcept;
    void buryFunctor(Graves& graves) noexcept;
    void forgetCalls(const Exclusive& right) noexcept;
    /// Asks the executor to tell when the calls that are on their way are over. False where there are none.
    bool askWhenOver() noexcept;
    void callsAreOver() noexcept;

    /// Hands a call to the receiver's executor, or leaves it where it is: the link has ended, or the executor has.
    /// Null once it is handed over.
    std::unique_ptr<Runnable> post(std::unique_ptr<Runnable> task);
    /// Posts it, and comes back when it has run or was dropped.
    void postAndWait(std::unique_ptr<Runnable> task);
    /// Whether a move-only argument may go to it: it is the only connection.
    bool isOnly() noexcept;
    /// Ends a connection that is called once. False where it has ended.
    bool expend() noexcept;
};

/// Follows the calls of a link that has ended through the executor's queue.
class HALYARD_API CallsOver final : public Runnable {
  public:
    explicit CallsOver(Link& link) noexcept : link_(&link) {}
    CallsOver(const CallsOver&) = delete;
    CallsOver& operator=(const CallsOver&) = delete;
    ~CallsOver() override;
    void run() override;
    const Tracked* receiver() const noexcept override;
    void forget() noexcept { link_ = nullptr; }

  private:
    Link* link_;
};

/// The connections of a signal that has, or had, more than one, or is fed by relays.
struct LinkList {
    using Array = std::unique_ptr<Link*[]>;

    std::atomic<std::uint32_t> guard = 0; ///< the id of the thread that may use it in a Section
    std::atomic<std::uint16_t> flags = 0;
    std::uint32_t size = 0;
    std::uint32_t capacity = 0;
    std::uint32_t ended = 0; ///< ended links that still stand in it
    Array links;
    SignalBase* signal = nullptr; ///< null once the signal is gone
    Tracked* owner = nullptr;
    Link* relays = nullptr;                       ///< the links that emit this signal
    std::unique_ptr<std::vector<Array>> outgrown; ///< arrays that a walk may still be on
    LinkList* nextFree = nullptr;

    static LinkList& allocate();
    void release() noexcept;

    bool has(LinkFlag flag) const noexcept { return (flags.load(std::memory_order_relaxed) & flag) != 0; }
    void set(LinkFlag flag, bool on = true) noexcept {
        const unsigned before = flags.load(std::memory_order_relaxed);
        flags.store(static_cast<std::uint16_t>(on ? before | flag : before & ~unsigned{flag}),
                    std::memory_order_relaxed);
    }

    void append(Link& link, bool isWalked);
    /// Takes off its last link, which has ended, and the ended ones before it. Something else has to stay.
    void forget(Link& last, const Exclusive& right, Graves& graves) noexcept;
    /// Closes the gaps, and frees what only a walk kept. The list itself goes when it has nothing to hold.
    void tidy(const Exclusive& right, Graves& graves) noexcept;
};

inline std::uint32_t Link::guard() const noexcept {
    return isInList() ? list().guard.load(std::memory_order_relaxed) : place.load(std::memory_order_relaxed);
}

/// What runs on a thread: one emission, or one queued call. It keeps its Links where they are, and knows who calls.
struct HALYARD_API Running {
    // What target is beside a pointer.
    static constexpr std::uintptr_t isLink = 1;
    static constexpr std::uintptr_t isQueued = 2;
    static constexpr std::uintptr_t kindMask = 3;

    Running* outer;
    Tracked* owner;        ///< of the signal; null where it has none, or is gone
    Link* current;         ///< that is called
    std::uintptr_t target; ///< the Link or the LinkList that is walked

    const void* what() const noexcept { return reinterpret_cast<const void*>(target & ~kindMask); }
    Link* link() const noexcept {
        return (target & isLink) != 0 ? reinterpret_cast<Link*>(target & ~kindMask) : nullptr;
    }
    LinkList& list() const noexcept { return *reinterpret_cast<LinkList*>(target); }
    std::atomic<std::uint16_t>& flags() const noexcept { return (target & isLink) != 0 ? link()->flags : list().flags; }
    void enter(Affinity& thread, const void* walked, std::uintptr_t kind, Tracked* its) noexcept {
        outer = thread.emissions;
        owner = its;
        target = reinterpret_cast<std::uintptr_t>(walked) | kind;
        thread.emissions = this;
    }
    /// The end of a walk that somebody counted on.
    void leaveTidy(Affinity& thread) noexcept;

    /// Whose signal the innermost call into `receiver` on this thread came from.
    static Tracked* callerOf(const Tracked& receiver) noexcept;
    static bool isOf(const Tracked& owner) noexcept; ///< Whether an emission of a signal of it runs on this thread.
    /// An owner has gone: nobody asks for it any more.
    static void forgetOwner(const Tracked& owner) noexcept;
    /// Whether somebody walks the Link or LinkList, as far as the right of the asker reaches.
    static bool isWalked(const void* target, unsigned flags, const Exclusive& right) noexcept;
    /// The same, by another thread than `guard`. The world has stopped.
    static bool isWalkedElsewhere(const void* target, std::uint32_t guard) noexcept;
};

/// An emission to the one Link of a signal that this thread guards: what nearly all are, and so inline to the last
/// instruction. A call and its end cost 60 of them less than by way of Emission.
class SingleEmission {
  public:
    SingleEmission() noexcept : me_(*currentAffinity) {}
    SingleEmission(const SingleEmission&) = delete;
    SingleEmission& operator=(const SingleEmission&) = delete;

    /// Null, and nothing has happened, where it is no such emission.
    [[gnu::always_inline]] Link* begin(const SignalBase& signal) noexcept;

    /// Ends it, in whichever way the slot does.
    class End {
      public:
        [[gnu::always_inline]] End(SingleEmission& emission, Link& link) noexcept : its_(emission), link_(link) {}
        End(const End&) = delete;
        End& operator=(const End&) = delete;
        [[gnu::always_inline]] ~End() {
            Affinity& me = its_.me_;
            me.inSection.store(true, std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
            const bool plain = !me.mustWait.load(std::memory_order_acquire) &&
                               (link_.flags.load(std::memory_order_relaxed) & (Untidy | WalkedElsewhere)) == 0;
            if (plain) [[likely]]
                me.emissions = its_.running_.outer;
            me.inSection.store(false, std::memory_order_release);
            if (!plain) [[unlikely]]
                its_.running_.leaveTidy(me);
        }

      private:
        SingleEmission& its_;
        Link& link_;
    };

  private:
    Affinity& me_;
    Running running_;
};

/// Any emission, and any queued call.
class HALYARD_API Emission {
  public:
    /// An emission of `signal`.
    explicit Emission(SignalBase& signal) noexcept;
    /// A queued call of `link`.
    explicit Emission(Link& link) noexcept;
    Emission(const Emission&) = delete;
    Emission& operator=(const Emission&) = delete;
    ~Emission();

    /// The links to call, in order.
    Link* const* begin() const noexcept { return begin_; }
    Link* const* end() const noexcept { return end_; }
    Link& at(Link* link) noexcept {
        running_.current = link;
        return *link;
    }
    /// Another thread guards the signal: thunkFor() tells how to call each link, null for not at all.
    bool asks() const noexcept { return asks_; }
    static Thunk thunkFor(Link& link) noexcept;

  private:
    static bool isSilenced(const Tracked* owner) noexcept { return owner != nullptr && owner->signalsAreBlocked(); }
    friend class SingleEmission;
    void enter(SignalBase& signal) noexcept;
    void beginElsewhere(SignalBase& signal) noexcept;
    bool isCalledElsewhere() const noexcept;

    Affinity& me_;
    Running running_{};
    Link* const* begin_ = nullptr;
    Link* const* end_ = nullptr;
    bool asks_ = false;
};

/// Says of a wrong call what was wrong with it: to standard error, until core makes it a log line.
using MisuseHandler = void (*)(const char* sentence);
HALYARD_API void setMisuseHandler(MisuseHandler handler) noexcept;
HALYARD_API void reportMisuse(const char* sentence);

} // namespace halyard::detail
