#pragma once

#include <halyard/signals/connection.h>
#include <halyard/signals/emission.h>
#include <halyard/signals/executor.h>
#include <halyard/signals/slot.h>
#include <halyard/signals/tracked.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace halyard {

/// What signals of all signatures share. Eight bytes: the owner, until the first connect; then the one Link, or
/// the LinkList.
class HALYARD_API SignalBase {
  public:
    SignalBase(const SignalBase&) = delete;
    SignalBase& operator=(const SignalBase&) = delete;

    /// Ends the connections to `receiver`. How many there were. Thread-safe.
    std::size_t disconnect(const Tracked* receiver) noexcept;
    void disconnectAll() noexcept; ///< Thread-safe.
    /// Thread-safe.
    std::size_t connectionCount() const noexcept { return isConnected() ? countConnections() : 0; }

    /// @cond
  protected:
    explicit SignalBase(Tracked* owner) noexcept : word_(reinterpret_cast<std::uintptr_t>(owner)) {}
    /// Another thread that ends the last connection looks at the signal no more once the word says so.
    ~SignalBase() {
        if (hasLinks(std::memory_order_acquire))
            endLinks();
    }

    static constexpr std::uintptr_t oneLink = 1;
    static constexpr std::uintptr_t manyLinks = 2;
    static constexpr std::uintptr_t claimed = 3; ///< has no owner and no link, but a thread that may connect
    static constexpr std::uintptr_t kindMask = 3;

    std::uintptr_t kind(std::memory_order order = std::memory_order_relaxed) const noexcept {
        return word_.load(order) & kindMask;
    }
    /// For an emission: that there is something to call, perhaps.
    bool isConnected() const noexcept { return kind() != 0; }
    detail::Link& link() const noexcept { return *pointee<detail::Link>(); }
    detail::LinkList& list() const noexcept { return *pointee<detail::LinkList>(); }

    Connection attach(detail::SlotBlank& slot);
    /// Refuses, with a sentence, what cannot be.
    Connection attachTo(Tracked* receiver, detail::SlotBlank& slot, ConnectionType type);
    Connection attachRelay(SignalBase& next, detail::SlotBlank& slot);
    std::size_t disconnectSlot(const Tracked* receiver, const detail::SlotBlank& slot) noexcept;
    /// @endcond

  private:
    friend class Connection;
    friend class detail::Emission;
    friend struct detail::SingleEmission;
    friend struct detail::Link;
    friend struct detail::LinkList;

    struct Place;

    std::size_t countConnections() const noexcept;

    template <class T>
    T* pointee() const noexcept {
        return reinterpret_cast<T*>(word_.load(std::memory_order_relaxed) & ~kindMask);
    }
    bool hasLinks(std::memory_order order = std::memory_order_relaxed) const noexcept {
        const std::uintptr_t its = kind(order);
        return its == oneLink || its == manyLinks;
    }
    Tracked* owner() const noexcept;
    /// Whether a Section of `thread`, which is the calling one, is enough to change it.
    bool isGuardedBy(detail::Affinity& thread) noexcept;
    std::uint32_t guard() const noexcept;
    /// Emits on `thread` from now on. The world has stopped.
    void guardBy(const detail::Affinity& thread) noexcept;
    void setWord(const void* pointee, std::uintptr_t kind) noexcept {
        word_.store(reinterpret_cast<std::uintptr_t>(pointee) | kind, std::memory_order_release);
    }

    Connection place(detail::SlotBlank& slot, const Place& where, const detail::Exclusive& right);
    detail::LinkList& makeList();
    bool mayMoveArguments(ConnectionType way) const noexcept;
    /// What the destructor does: queued calls are still delivered.
    void endLinks() noexcept;
    void endAll() noexcept;
    template <class Matches>
    std::size_t endWhere(Matches matches) noexcept;
    template <class Holds>
    bool allLinks(Holds holds) const noexcept;

    std::atomic<std::uintptr_t> word_;
};

inline detail::Link* detail::SingleEmission::begin(const SignalBase& signal, Affinity& me, Running* outer,
                                                   Running& running) noexcept {
    me.inSection.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    static_assert(SignalBase::oneLink == Running::isLink);
    const std::uintptr_t word = signal.word_.load(std::memory_order_acquire);
    const std::uintptr_t address = word - SignalBase::oneLink;
    Link* const only = reinterpret_cast<Link*>(address);
    if (me.mustWait.load(std::memory_order_acquire) || (address & SignalBase::kindMask) != 0 ||
        only->state.guard() != me.id || Emission::isSilenced(only->owner)) [[unlikely]] {
        me.inSection.store(false, std::memory_order_release);
        return nullptr;
    }
    running.enter(me, outer, word);
    me.inSection.store(false, std::memory_order_release);
    return only;
}

/// A signal: whoever is connected to it is called when it is emitted, in the order of the connecting.
///
///     class Thermometer : public Object {
///       public:
///         Signal<double> changed{this};          // emitted with the new temperature
///         void measure() { changed(21.5); }      // the emission is a call
///     };
///     thermometer.changed.connect(&display, &Display::show);
///     thermometer.changed.connect(&display, [](double t) { std::printf("%.1f\n", t); });
///
/// In a slot everything is allowed: connecting and disconnecting (a new slot first runs in the next emission, an
/// ended one does not run any more), emitting again, deleting the receiver, the sender or the signal (the rest of
/// that emission is dropped with it), throwing (the exception leaves through the emission, the rest is skipped).
///
/// Connecting, disconnecting and emitting are thread-safe. They cost least on the thread of the signal's owner, or, for
/// a signal without one, on the thread that uses it most: the others stop that one for a moment.
///
/// Arguments are values or const references; small trivial ones travel by value, others by const reference, so that
/// an emission copies nothing that a slot does not copy. What can only be moved is moved into the emission; slots see
/// it as a constant, and a queued slot takes it along where it is the only one that is connected.
template <class... Args>
class Signal : public SignalBase {
    static_assert((!std::is_rvalue_reference_v<Args> && ...),
                  "a signal cannot carry an rvalue reference: the first slot would leave nothing for the second");
    static_assert(((!std::is_lvalue_reference_v<Args> || std::is_const_v<std::remove_reference_t<Args>>)&&...),
                  "a signal cannot carry a non-const reference: a queued slot would write into a copy");

  public:
    /// A ConnectionType; where an argument can be neither copied nor moved, a constant one that is not Queued.
    using Type = detail::TypeFor<Args...>;

    /// A member writes `Signal<int> changed{this};`: blocking its object's signals then silences it.
    explicit Signal(Tracked* owner = nullptr) noexcept : SignalBase(owner) {}

    /// Connects anything callable with the arguments or with the first few of them. It lives until it is
    /// disconnected or the signal dies, and runs on the emitting thread. Thread-safe, as all that follow.
    template <detail::NotDerivedFrom<SignalBase> F>
    Connection connect(F&& slot) {
        detail::SlotMaker<std::decay_t<F>, Args...> maker(std::in_place, std::forward<F>(slot));
        return attach(maker);
    }

    /// Connects a member function; the connection ends with the receiver too. Refused, with a logged sentence and a
    /// handle that is not connected: a null receiver or slot; Queued, where arguments can only be moved and something
    /// else is connected, or where the receiver's thread has no loop. A connection that is to be Unique and is not, is
    /// refused without a word.
    template <class R, detail::MemberFunction Slot>
    Connection connect(R* receiver, Slot slot, Type type = ConnectionType::Auto) {
        static_assert(!std::is_const_v<R>, "the receiver of a slot must not be const: the connection is noted in it");
        static_assert(std::is_base_of_v<Tracked, R>, "the receiver of a slot must be a halyard::Tracked");
        static_assert(std::is_base_of_v<typename detail::ClassOf<Slot>::type, R>,
                      "the slot must be a member function of the receiver's class");
        detail::SlotMaker<detail::MemberSlotFor<R, Slot>, Args...> maker(slot);
        return attachTo(receiver, maker, type);
    }

    /// Connects anything callable; it ends with `context` too, and runs on its thread. It cannot be Unique.
    template <detail::NotMemberFunction F>
    Connection connect(Tracked* context, F&& slot, Type type = ConnectionType::Auto) {
        detail::SlotMaker<std::decay_t<F>, Args...> maker(std::in_place, std::forward<F>(slot));
        return attachTo(context, maker, type);
    }

    /// Refused by the compiler, with a sentence that says why.
    template <class Context, detail::NotMemberFunction F>
    requires(!std::is_convertible_v<Context*, Tracked*>) Connection
        connect(Context*, F&&, ConnectionType = ConnectionType::Auto) {
        static_assert(std::is_base_of_v<Tracked, Context>, "the context of a slot must be a halyard::Tracked");
        static_assert(!std::is_base_of_v<Tracked, Context>,
                      "the context of a slot must not be const: the connection is noted in it");
        return {};
    }

    /// Relays: an emission of this signal emits `next`, on the same thread. Ends with either signal.
    template <class... Others>
    Connection connect(Signal<Others...>& next) {
        detail::SlotMaker<detail::RelaySlot<Signal<Others...>>, Args...> maker(
            std::in_place, detail::RelaySlot<Signal<Others...>>{&next});
        return attachRelay(next, maker);
    }

    using SignalBase::disconnect;

    /// Ends the connections of this member function to `receiver`. How many there were.
    template <class R, detail::MemberFunction Slot>
    std::size_t disconnect(R* receiver, Slot slot) noexcept {
        static_assert(std::is_base_of_v<typename detail::ClassOf<Slot>::type, R>,
                      "the slot must be a member function of the receiver's class");
        const detail::SlotMaker<detail::MemberSlotFor<R, Slot>, Args...> wanted(slot);
        return disconnectSlot(receiver, wanted);
    }

    /// Emits: calls every slot that is connected now, in the order of connecting. Costs a compare when there is none.
    /// Thread-safe.
    void operator()(detail::Given<Args>... args) const {
        if (isConnected())
            walk(args...);
    }

  private:
    static void call(const detail::Way* way, detail::Link& link, detail::Param<Args>... args) {
        static_cast<const detail::WayOf<Args...>*>(way)->call(link, args...);
    }

    void walk(detail::Param<Args>... args) const {
        detail::Affinity& me = *detail::currentAffinity;
        detail::Running running; // NOLINT(cppcoreguidelines-pro-type-member-init): begin() does
        detail::Running* const outer = me.emissions;
        detail::Link* const only = detail::SingleEmission::begin(*this, me, outer, running);
        if (only == nullptr) [[unlikely]]
            return walkAll(args...);
        try { // no object whose destructor ends it: that takes more registers, and so more of each emission
            call(only->way.load(std::memory_order_relaxed), *only, args...);
        } catch (...) {
            detail::Running::leaveInnermost();
            throw;
        }
        detail::SingleEmission::end(me, outer, *only);
    }

    [[gnu::noinline]] void walkAll(detail::Param<Args>... args) const {
        detail::Emission emission(const_cast<Signal&>(*this));
        // The array stays where it is until the emission ends, and what is connected meanwhile stands behind its end.
        detail::Link* const* each = emission.begin();
        detail::Link* const* const end = emission.end();
        if (!emission.asks()) [[likely]] {
            for (; each != end; ++each) {
                detail::Link& link = emission.at(*each);
                call(link.way.load(std::memory_order_relaxed), link, args...);
            }
            return;
        }
        for (; each != end; ++each) {
            detail::Link& link = emission.at(*each);
            call(detail::Emission::wayFor(link), link, args...);
        }
    }
};

} // namespace halyard
