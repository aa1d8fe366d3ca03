#pragma once

#include <halyard/signals/affinity.h>
#include <halyard/signals/connection.h>
#include <halyard/signals/executor.h>
#include <halyard/signals/tracked.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <typeinfo>

/// How connections are kept. Nothing here is for users of signals.
///
/// A connection is one Link, a cell of fixed size. A signal with a single connection points at the Link itself;
/// one with several points at a LinkList, whose array the emission walks in order, calling every Link without a
/// test. All that a slot may do to the connections is made harmless by three rules:
///
///  - a Link that ends is called in a way that does nothing, so that a walk that comes to it passes over it;
///  - no Link is freed and no array is moved while a walk is on it (an Emission stands for it): the end of the walk
///    tidies up, and where walks of several threads overlap without end, those that were under way are waited for;
///  - a slot's functor is destroyed last, when nothing of the signal is touched any more, because its destructor
///    may do anything too.
///
/// Every signal is guarded by one thread, which emits, connects and disconnects in Sections; it is the thread of its
/// owner, or becomes that again when the owner has moved. For all others the world stops. A Link whose receiver lives
/// on another thread than the one that guards its signal is remote: what ends it stops the world too.
namespace halyard::detail {

struct Link;
struct LinkList;

struct SlotOps;

/// One of the ways in which a type of slot is called; the function itself stands behind it, where only those look who
/// know the arguments. A Link has a pointer to it, as an object of a virtual class to its table.
struct Way {
    const SlotOps* ops;
};

/// What a Link's slot can do, one static table for each type of slot.
struct SlotOps {
    const Way* direct;          ///< inside the emission
    const Way* once;            ///< the same, and the connection ends
    const Way* queued;          ///< by the receiver's executor
    const Way* blocking;        ///< and the emission waits
    const Way* deadlock;        ///< would wait for its own thread
    const Way* ended;           ///< not at all
    const std::type_info* type; ///< of the slot
    bool boxed;                 ///< it lives on the heap
    bool isMember;              ///< a member function of the receiver
    bool movesArguments;        ///< they cannot all be copied: there must be one receiver only

    const Way* choose(std::uint32_t flags) const noexcept; ///< how an emission calls it, after the Link's flags
};

/// A functor that does not fit a Link.
struct HALYARD_API SlotBox : Pooled {
    SlotBox() = default;
    SlotBox(const SlotBox&) = delete;
    SlotBox& operator=(const SlotBox&) = delete;
    virtual ~SlotBox();
    virtual bool isSame(const SlotBox& other) const noexcept; ///< only a member function can be

    SlotBox* next = nullptr; ///< once its Link has ended
};

/// The functors of ended Links, destroyed when it ends itself: made before a Section, it outlasts that.
class HALYARD_API Graves {
  public:
    Graves() = default;
    Graves(const Graves&) = delete;
    Graves& operator=(const Graves&) = delete;
    ~Graves() {
        if (first_ != nullptr)
            destroy();
    }

    void add(SlotBox* box) noexcept;

  private:
    void destroy() noexcept;

    SlotBox* first_ = nullptr;
};

/// The right to change what is wanted, taken in the cheapest way that suffices.
class Exclusive {
  public:
    /// `suffices` tells whether a Section of the given thread, which is the calling one, does.
    template <class Suffices>
    explicit Exclusive(Suffices suffices) noexcept : me_(Affinity::current()) {
        me_.inSection.store(true, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (!me_.mustWait.load(std::memory_order_acquire) && suffices(me_)) [[likely]]
            return;
        me_.inSection.store(false, std::memory_order_release);
        StoppedWorld::begin();
        worldStands_ = true;
    }
    Exclusive(const Exclusive&) = delete;
    Exclusive& operator=(const Exclusive&) = delete;
    ~Exclusive() {
        if (worldStands_) [[unlikely]]
            StoppedWorld::end();
        else
            me_.inSection.store(false, std::memory_order_release);
    }

    bool isEverybodys() const noexcept { return worldStands_; } ///< all that all threads have
    Affinity& thread() const noexcept { return me_; }           ///< the calling one

  private:
    Affinity& me_;
    bool worldStands_ = false;
};

/// The links that end with something: with a receiver, or with the signal that a relay feeds.
struct HALYARD_API LinkRing {
    static bool isLocal(const Link* first) noexcept; ///< none of them belongs to two threads
    static void endAll(Link*& first, const Exclusive& right, Graves& graves) noexcept;
    static std::size_t endFrom(const Tracked& sender, Link* first, const Exclusive& right, Graves& graves) noexcept;
};

/// What Links and LinkLists are asked about alike.
enum LinkFlag : std::uint32_t {
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

/// The flags of a Link or a LinkList and, above them, the id of the thread that guards it. One thread at a time writes.
class LinkState {
  public:
    std::uint32_t flags() const noexcept { return word_.load(std::memory_order_relaxed); } ///< and more
    bool has(std::uint32_t anyOf) const noexcept { return (flags() & anyOf) != 0; }
    void set(std::uint32_t what, bool on = true) noexcept {
        word_.store(on ? flags() | what : flags() & ~what, std::memory_order_release);
    }
    std::uint32_t guard() const noexcept { return flags() & ~Affinity::belowId; }
    void guardBy(std::uint32_t id) noexcept {
        word_.store((flags() & Affinity::belowId) | id, std::memory_order_relaxed);
    }
    void begin(std::uint32_t flagsAndGuard) noexcept { word_.store(flagsAndGuard, std::memory_order_relaxed); }

  private:
    std::atomic<std::uint32_t> word_ = 0;
};
static_assert(Told < Affinity::belowId && Affinity::belowId < 2 * Told);

/// One line of the cache.
struct HALYARD_API Link {
    static constexpr std::size_t slotSize = sizeof(void*);
    static constexpr std::uintptr_t inList = 1;

    /// Counts the lives of this cell, so that an old handle finds nobody.
    alignas(64) std::atomic<std::uint32_t> generation = 0;
    LinkState state;                       ///< its guard: while this link is all that its signal has
    std::atomic<const Way*> way = nullptr; ///< how it is called now
    Tracked* receiver = nullptr;
    alignas(void*) std::byte slot[slotSize] = {}; ///< the slot itself, or a pointer to its box
    Tracked* owner = nullptr;                     ///< the emitting object, while this link is all that its signal has
    std::atomic<std::uintptr_t> holder = 0;       ///< its signal, or, tagged, its LinkList; null once it is in neither
    Link* next = nullptr;                         ///< in the ring of the receiver
    Link** previous = nullptr;

    bool has(std::uint32_t anyOf) const noexcept { return state.has(anyOf); }
    void set(LinkFlag flag, bool on = true) noexcept { state.set(flag, on); }
    const SlotOps& ops() const noexcept { return *way.load(std::memory_order_relaxed)->ops; }
    void chooseWay() noexcept { way.store(ops().choose(state.flags()), std::memory_order_relaxed); }

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

    void enterRing(Link*& first) noexcept {
        next = first;
        previous = &first;
        if (next != nullptr)
            next->previous = &next;
        std::atomic_ref(first).store(this, std::memory_order_release); // see Tracked::endConnections()
    }
    void leaveRing() noexcept {
        if (previous == nullptr)
            return;
        std::atomic_ref(*previous).store(next, std::memory_order_release); // see Tracked::endConnections()
        if (next != nullptr)
            next->previous = previous;
        previous = nullptr;
        next = nullptr;
    }
    /// Sees anew whether it is remote, and how it is called: somebody has moved.
    void locate() noexcept;
    /// Takes the connection out of its signal, and its queued calls back if they are revoked.
    void leave(bool revoke, const Exclusive& right, Graves& graves) noexcept;
    void disconnect(const Exclusive& right, Graves& graves) noexcept { leave(true, right, graves); }
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

/// The connections of a signal that has, or had, more than one, or is fed by relays. Also one line of the cache.
struct alignas(64) LinkList {
    static constexpr std::uint32_t few = 2;

    struct Outdated;
    /// What is too many for the list itself.
    struct Array {
        Outdated* outdated; ///< the latest first
        Link** links() noexcept { return reinterpret_cast<Link**>(this + 1); }
    };

    LinkState state; ///< its guard may use it in a Section
    std::uint32_t size = 0;
    std::uint32_t capacity = few;
    std::uint32_t ended = 0;      ///< ended links that still stand in it
    SignalBase* signal = nullptr; ///< null once the signal is gone
    Tracked* owner = nullptr;
    Link* relays = nullptr; ///< the links that emit this signal
    Link** links = nullptr;
    Link* own[few] = {};

    static LinkList& allocate();
    void release() noexcept;

    bool has(std::uint32_t anyOf) const noexcept { return state.has(anyOf); }
    void set(LinkFlag flag, bool on = true) noexcept { state.set(flag, on); }

    void makeRoom(bool isWalked); ///< for one more
    void append(Link& link) noexcept;
    /// Lets go of a link that has just ended.
    void lose(Link& link, const Exclusive& right, Graves& graves) noexcept;
    /// Takes off its last link, which has ended, and the ended ones before it. Something else has to stay.
    void forget(Link& last, const Exclusive& right, Graves& graves) noexcept;
    /// After some of its links have ended, which is what walks may have to hear of.
    void settle(const Exclusive& right, Graves& graves) noexcept;
    /// Closes the gaps, and frees what only a walk kept. The list itself goes when it has nothing to hold.
    void tidy(const Exclusive& right, Graves& graves) noexcept;
    /// At the end of a walk while others go on: frees what none of them can be at.
    void freeOutdated(const Exclusive& right, Graves& graves) noexcept;

  private:
    Array* array() const noexcept { return links != own ? reinterpret_cast<Array*>(links) - 1 : nullptr; }
    static Array* makeArray(std::uint32_t capacity);
    static void freeArray(Array* array, std::uint32_t capacity) noexcept;
    void leaveEndedBehind() noexcept;
    void free(Outdated* latest, const Exclusive& right, Graves& graves) noexcept;
    void drop(Link& link, const Exclusive& right, Graves& graves) noexcept;
};
static_assert(sizeof(Link) == 64 && sizeof(LinkList) == 64);

inline std::uint32_t Link::guard() const noexcept { return (isInList() ? list().state : state).guard(); }

/// Says of a wrong call what was wrong with it: to standard error, until core makes it a log line.
using MisuseHandler = void (*)(const char* sentence);
HALYARD_API void setMisuseHandler(MisuseHandler handler) noexcept;
HALYARD_API void reportMisuse(const char* sentence);

} // namespace halyard::detail
