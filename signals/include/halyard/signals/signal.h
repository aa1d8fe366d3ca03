#pragma once

#include <halyard/signals/connection.h>
#include <halyard/signals/executor.h>
#include <halyard/signals/slot.h>
#include <halyard/signals/tracked.h>

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

    /// Ends the connections to `receiver`. How many there were.
    std::size_t disconnect(const Tracked* receiver) noexcept;
    void disconnectAll() noexcept;
    std::size_t connectionCount() const noexcept;

  protected:
    explicit SignalBase(Tracked* owner) noexcept : word_(reinterpret_cast<std::uintptr_t>(owner)) {}
    ~SignalBase();

    static constexpr std::uintptr_t oneLink = 1;
    static constexpr std::uintptr_t manyLinks = 2;
    static constexpr std::uintptr_t kindMask = 3;

    bool isConnected() const noexcept { return (word_ & kindMask) != 0; }
    bool hasOneLink() const noexcept { return (word_ & oneLink) != 0; }
    detail::Link& link() const noexcept { return *reinterpret_cast<detail::Link*>(word_ & ~kindMask); }
    detail::LinkList& list() const noexcept { return *reinterpret_cast<detail::LinkList*>(word_ & ~kindMask); }

    Connection attach(detail::SlotBlank& slot);
    /// Refuses, with a sentence, what cannot be.
    Connection attachTo(Tracked* receiver, detail::SlotBlank& slot, ConnectionType type);
    Connection attachRelay(SignalBase& next, detail::SlotBlank& slot);
    std::size_t disconnectSlot(const Tracked* receiver, const detail::SlotBlank& slot) noexcept;

    static bool isSilenced(const Tracked* owner) noexcept { return owner != nullptr && owner->signalsBlocked_; }

  private:
    friend struct detail::Link;
    friend struct detail::LinkList;

    Tracked* owner() const noexcept;
    Connection place(detail::SlotBlank& slot, Tracked* receiver, detail::Link** ring, bool queued);
    detail::LinkList& makeList();
    void lose(detail::Link& link) noexcept;
    /// What the destructor does: queued calls are still delivered.
    void endAll() noexcept;
    template <class Matches>
    std::size_t endWhere(Matches matches) noexcept;

    std::uintptr_t word_;
};

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
/// A signal belongs to the thread of its owner, or of whoever made it: connect, disconnect and emit there.
/// Arguments are values or const references; small trivial ones travel by value, others by const reference, so that
/// an emission copies nothing that a slot does not copy.
template <class... Args>
class Signal : public SignalBase {
    static_assert((!std::is_rvalue_reference_v<Args> && ...),
                  "a signal cannot carry an rvalue reference: the first slot would leave nothing for the second");
    static_assert(((!std::is_lvalue_reference_v<Args> || std::is_const_v<std::remove_reference_t<Args>>)&&...),
                  "a signal cannot carry a non-const reference: a queued slot would write into a copy");

  public:
    /// A member writes `Signal<int> changed{this};`: blocking its object's signals then silences it.
    explicit Signal(Tracked* owner = nullptr) noexcept : SignalBase(owner) {}

    /// Connects anything callable with the arguments or with the first few of them. It lives until it is
    /// disconnected or the signal dies.
    template <detail::NotDerivedFrom<SignalBase> F>
    Connection connect(F&& slot) {
        detail::SlotMaker<std::decay_t<F>, Args...> maker(std::in_place, std::forward<F>(slot));
        return attach(maker);
    }

    /// Connects a member function; the connection ends with the receiver too. Refused, with a logged sentence and
    /// a handle that is not connected: a null receiver, a receiver that lives on another thread.
    template <class R, detail::MemberFunction Slot>
    Connection connect(R* receiver, Slot slot, ConnectionType type = ConnectionType::Auto) {
        static_assert(std::is_base_of_v<Tracked, R>, "the receiver of a slot must be a halyard::Tracked");
        static_assert(std::is_base_of_v<typename detail::ClassOf<Slot>::type, R>,
                      "the slot must be a member function of the receiver's class");
        using Member = detail::MemberSlotFor<R, Slot>;
        detail::SlotMaker<Member, Args...> maker(std::in_place, Member{slot});
        return attachTo(receiver, maker, type);
    }

    /// Connects anything callable; it ends with `context` too, and runs on its thread.
    template <detail::NotMemberFunction F>
    Connection connect(Tracked* context, F&& slot, ConnectionType type = ConnectionType::Auto) {
        detail::SlotMaker<std::decay_t<F>, Args...> maker(std::in_place, std::forward<F>(slot));
        return attachTo(context, maker, type);
    }

    /// Relays: an emission of this signal emits `next`. Direct; ends with either signal.
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
        using Member = detail::MemberSlotFor<R, Slot>;
        const detail::SlotMaker<Member, Args...> wanted(std::in_place, Member{slot});
        return disconnectSlot(receiver, wanted);
    }

    /// Emits: calls every slot that is connected now, in the order of connecting. Costs a compare when there is none.
    void operator()(detail::Param<Args>... args) const {
        if (isConnected())
            walk(args...);
    }

  private:
    void walk(detail::Param<Args>... args) const {
        using Call = void (*)(detail::Link&, detail::Param<Args>...);
        if (hasOneLink()) {
            detail::Link& only = link();
            if (isSilenced(only.owner))
                return;
            const detail::LinkWalk walking(only);
            reinterpret_cast<Call>(only.call)(only, args...);
        } else {
            detail::LinkList& all = list();
            if (isSilenced(all.owner))
                return;
            const detail::ListWalk walking(all);
            // The array stays where it is until the walk ends, and what is connected meanwhile stands behind its end.
            detail::Link* const* each = all.links.get();
            for (detail::Link* const* end = each + all.size; each != end; ++each)
                reinterpret_cast<Call>((*each)->call)(**each, args...);
        }
    }
};

} // namespace halyard
