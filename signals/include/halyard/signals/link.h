#pragma once

#include <halyard/signals/connection.h>
#include <halyard/signals/tracked.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <typeinfo>
#include <vector>

/// How connections are kept. Nothing here is for users of signals.
///
/// A connection is one Link, a cell of fixed size. A signal with a single connection points at the Link itself;
/// one with several points at a LinkList, whose array the emission walks in order, calling every Link without a
/// test. All that a slot may do to the connections is made harmless by three rules:
///
///  - a Link that ends gets the typed no-op as its `call`, so that a walk on its way passes over it;
///  - no Link is freed and no array is moved while a walk is on it (`depth`): the end of the walk tidies up;
///  - a slot's functor is destroyed last, when nothing of the signal is touched any more, because its destructor
///    may do anything too.
namespace halyard::detail {

struct Link;
struct LinkList;

/// Any function pointer; what it really is, only the template that made it knows.
using Thunk = void (*)();

/// What a Link's slot can do, one static table for each type of slot.
struct SlotOps {
    Thunk (*choose)(std::uint32_t flags); ///< the function that an emission calls, after the Link's flags
    void (*drop)(void*);                  ///< destroys a functor that lives on the heap; null where none does
    const std::type_info* type;           ///< of the slot
    bool canBeQueued;                     ///< all arguments can be copied
};

/// The links that end with something: with a receiver, or with the signal that a relay feeds.
struct HALYARD_API LinkRing {
    static void endAll(Link*& first) noexcept;
};

struct HALYARD_API Link {
    static constexpr std::size_t slotSize = 16;

    enum Flag : std::uint8_t {
        Queued = 1,  ///< the slot is called through the receiver's executor
        Blocked = 2, ///< connected, but not called
        Ended = 4,   ///< no longer connected
        Revoked = 8, ///< ended by a disconnect or by its receiver: queued calls are dropped
        Orphan = 16, ///< no list holds it any more: whoever uses it last frees it
        InList = 32, ///< stands in a LinkList
    };

    std::uint32_t index = 0;      ///< its place in the LinkList
    std::uint32_t generation = 0; ///< counts the lives of this cell, so that an old handle finds nobody
    std::uint32_t depth = 0;      ///< calls that are running in this slot through this link alone
    std::uint32_t flags : 6 = 0;
    std::uint32_t queued : 26 = 0; ///< posted calls that have not begun
    Thunk call = nullptr;
    Tracked* receiver = nullptr;
    alignas(void*) std::byte slot[slotSize] = {}; ///< the slot itself, or a pointer to it
    union {
        Tracked* owner = nullptr; ///< the emitting object, while this link is all that its signal has
        Link* nextGone;           ///< while a list is tidied
    };
    const SlotOps* ops = nullptr; ///< null once the functor is gone
    SignalBase* signal = nullptr; ///< null once it has ended
    Link* next = nullptr;         ///< in the ring of the receiver
    Link** previous = nullptr;

    bool has(Flag flag) const noexcept { return (flags & flag) != 0; }
    void set(Flag flag, bool on = true) noexcept {
        flags = static_cast<std::uint8_t>((on ? flags | flag : flags & ~std::uint32_t{flag}) & 63U);
    }
    void chooseCall() noexcept { call = ops->choose(flags); }

    static Link& allocate();
    void enterRing(Link*& first) noexcept;
    void leaveRing() noexcept;
    /// Takes the connection out of its signal, and its queued calls back.
    void disconnect() noexcept;
    /// Ends the connection for everyone but a walk that is on it, and for queued calls unless they are revoked.
    void end(bool revoke) noexcept;
    /// A call runs in it, or waits for its turn.
    bool isInUse() const noexcept { return depth != 0 || queued != 0; }
    /// Destroys the functor of an orphan that nobody uses any more, and gives the cell back.
    void releaseIfUnused() noexcept;
    /// Destroys the functor, of an ended link only. Its destructor may do anything.
    void destroySlot() noexcept;
};

/// The connections of a signal that has, or had, more than one, or is fed by relays.
struct LinkList {
    using Array = std::unique_ptr<Link*[]>;

    Array links;
    std::uint32_t size = 0;
    std::uint32_t capacity = 0;
    std::uint32_t depth = 0;      ///< walks that are on it
    std::uint32_t ended = 0;      ///< ended links that still stand in it
    bool untidy = false;          ///< something waits for the last walk to end
    SignalBase* signal = nullptr; ///< null once the signal is gone
    Tracked* owner = nullptr;
    Link* relays = nullptr;      ///< the links that emit this signal
    std::vector<Array> outgrown; ///< arrays that a walk may still be on

    void append(Link& link);
    /// Takes off its last link, which has ended, and the ended ones before it. Something else has to stay.
    void forget(Link& last) noexcept;
    /// Closes the gaps, and frees what only a walk kept. The list itself goes when it has nothing to hold.
    HALYARD_API void tidy() noexcept;
};

/// Keeps a Link alive while its slot runs.
class LinkWalk {
  public:
    explicit LinkWalk(Link& link) noexcept : link_(link) { ++link_.depth; }
    LinkWalk(const LinkWalk&) = delete;
    LinkWalk& operator=(const LinkWalk&) = delete;
    ~LinkWalk() {
        if (--link_.depth == 0 && link_.has(Link::Orphan))
            link_.releaseIfUnused();
    }

  private:
    Link& link_;
};

/// Keeps a LinkList as it is while an emission walks it.
class ListWalk {
  public:
    explicit ListWalk(LinkList& list) noexcept : list_(list) { ++list_.depth; }
    ListWalk(const ListWalk&) = delete;
    ListWalk& operator=(const ListWalk&) = delete;
    ~ListWalk() {
        if (--list_.depth == 0 && list_.untidy)
            list_.tidy();
    }

  private:
    LinkList& list_;
};

/// Says of a wrong call what was wrong with it: to standard error, until core makes it a log line.
using MisuseHandler = void (*)(const char* sentence);
HALYARD_API void setMisuseHandler(MisuseHandler handler) noexcept;
HALYARD_API void reportMisuse(const char* sentence);

} // namespace halyard::detail
