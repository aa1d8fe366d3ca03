#pragma once

#include <halyard/signals/connection.h>
#include <halyard/signals/executor.h>
#include <halyard/signals/link.h>
#include <halyard/signals/slot_arguments.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

/// From a callable to the Link that calls it. Nothing here is for users of signals.
namespace halyard::detail {

template <class F>
concept MemberFunction = std::is_member_function_pointer_v<std::decay_t<F>>;
template <class F>
concept NotMemberFunction = !MemberFunction<F>;
template <class F, class Base>
concept NotDerivedFrom = !std::is_base_of_v<Base, std::remove_cvref_t<F>>;

/// How an argument is given to an emission, and how it travels from there to the slots: small trivial ones by value,
/// others by reference; what can only be moved is moved in, so that a queued call can take it along.
template <class T>
struct ParamOf {
    static constexpr bool byValue =
        std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T> && sizeof(T) <= 2 * sizeof(void*);
    static constexpr bool canOnlyMove = !std::is_copy_constructible_v<T> && std::is_move_constructible_v<T>;
    static constexpr bool canBeQueued = std::is_copy_constructible_v<T> || canOnlyMove;
    using given = std::conditional_t<byValue || canOnlyMove, T, const T&>;
    using type = std::conditional_t<byValue, T, std::conditional_t<canOnlyMove, T&, const T&>>;
};
template <class T>
struct ParamOf<T&> {
    static constexpr bool canOnlyMove = false;
    static constexpr bool canBeQueued = std::is_copy_constructible_v<std::remove_const_t<T>>;
    using given = T&;
    using type = T&;
};
template <class T>
using Given = typename ParamOf<T>::given;
template <class T>
using Param = typename ParamOf<T>::type;
/// How a slot sees it: it can neither change it nor move it away.
template <class T>
using Seen = const std::remove_reference_t<Param<T>>&;

/// A member function of an object that is, or is a part of, an R; the Link's receiver is that R.
template <class R, class Slot>
struct MemberSlot {
    Slot slot;
};

template <class F>
inline constexpr bool isMemberSlot = false;
template <class R, class Slot>
inline constexpr bool isMemberSlot<MemberSlot<R, Slot>> = true;
template <class... Args>
struct MemberBox;
template <class... Args>
inline constexpr bool isMemberSlot<MemberBox<Args...>> = true;

/// The class that a member function is of.
template <class Slot>
struct ClassOf;
template <class T, class Member>
struct ClassOf<Member T::*> {
    using type = T;
};

/// The same type for the same slot, through whichever derived class it was named.
template <class R, class Slot>
using MemberSlotFor = MemberSlot<
    std::conditional_t<std::is_base_of_v<Tracked, typename ClassOf<Slot>::type>, typename ClassOf<Slot>::type, R>,
    Slot>;

/// What a callee's parameters are looked up of.
template <class F>
struct SlotOf {
    using type = F;
};
template <class R, class Member>
struct SlotOf<MemberSlot<R, Member>> {
    using type = Member;
};

/// The next signal of a relay.
template <class NextSignal>
struct RelaySlot {
    SignalBase* next; // Link::locate() looks for it here

    template <class... Args>
    requires std::is_invocable_v<const NextSignal&, Args...>
    // cppcheck-suppress constStatement ; it is a call
    void operator()(Args&&... args) const { static_cast<const NextSignal&> (*next)(std::forward<Args>(args)...); }
};

/// Whether F can be called with the first Count of Args.
template <class F, std::size_t Count, class... Args>
constexpr bool takesFirst() {
    return []<std::size_t... I>(std::index_sequence<I...>) {
        using All = std::tuple<Args...>;
        return std::is_invocable_v<F&, std::tuple_element_t<I, All>...>;
    }
    (std::make_index_sequence<Count>());
}

/// How many of Args F is called with: as many as it can take. −1 when it can be called with none of the choices.
template <class F, class... Args>
constexpr int arity() {
    int found = -1;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        ((found = takesFirst<F, I, Args...>() ? static_cast<int>(I) : found), ...);
    }
    (std::make_index_sequence<sizeof...(Args) + 1>());
    return found;
}

/// A slot of type F as its Link holds it: in the Link where it is small and trivial, else in a box on the heap.
template <class F>
constexpr bool
    fitsLink = sizeof(F) <= Link::slotSize &&
               alignof(F) <= alignof(void*) && std::is_trivially_copyable_v<F>&& std::is_trivially_destructible_v<F>;
template <class R, class Slot>
inline constexpr bool fitsLink<MemberSlot<R, Slot>> = true; // the others are a MemberBox
template <class... Args>
inline constexpr bool fitsLink<MemberBox<Args...>> = false;

template <class F>
struct BoxOf final : SlotBox {
    template <class Given>
    BoxOf(std::in_place_t, Given&& given) : functor(std::forward<Given>(given)) {}
    F functor;
};

inline SlotBox* boxOf(const std::byte* slot) noexcept {
    SlotBox* box = nullptr;
    std::memcpy(&box, slot, sizeof box);
    return box;
}
template <class F>
F& slotOf(const Link& link) noexcept {
    auto* place = const_cast<std::byte*>(link.slot);
    if constexpr (fitsLink<F>)
        return *std::launder(reinterpret_cast<F*>(place));
    else
        return static_cast<BoxOf<F>*>(boxOf(place))->functor;
}

/// A pointer to a member function is two words with most compilers, of which the second one is nearly always 0: then
/// its Link holds the first.
template <class Slot>
bool isOneWord(Slot slot) noexcept {
    constexpr std::size_t rest = sizeof slot - std::min(sizeof slot, Link::slotSize);
    constexpr std::byte zeros[rest + 1] = {};
    std::byte words[sizeof slot];
    std::memcpy(words, &slot, sizeof slot);
    return std::memcmp(words + (sizeof slot - rest), zeros, rest) == 0;
}
template <class Slot>
Slot memberOf(const Link& link) noexcept {
    std::byte words[sizeof(Slot)] = {};
    std::memcpy(words, link.slot, std::min(sizeof(Slot), Link::slotSize));
    Slot slot;
    std::memcpy(&slot, words, sizeof slot);
    return slot;
}

/// A box for the others: where a class has several bases, and the function is of one that is not the first.
template <class... Args>
struct MemberBox : SlotBox {
    virtual void call(Tracked& receiver, Seen<Args>... args) const = 0;
};

/// What is really called: the functor, or the member function bound to its receiver.
template <class F>
struct Callee {
    static F& of(Link& link) noexcept { return slotOf<F>(link); }
    using type = F;
};
template <class R, class Slot>
struct Callee<MemberSlot<R, Slot>> {
    struct Bound {
        R& object;
        Slot slot;

        template <class... Args>
        requires std::is_invocable_v<Slot, R&, Args...>
        void operator()(Args&&... args) const { std::invoke(slot, object, std::forward<Args>(args)...); }
    };
    static Bound of(Link& link) noexcept { return {static_cast<R&>(*link.receiver), memberOf<Slot>(link)}; }
    using type = const Bound;
};
template <class... Args>
struct Callee<MemberBox<Args...>> {
    struct Bound {
        Tracked& receiver;
        const MemberBox<Args...>& box;
        void operator()(Seen<Args>... args) const { box.call(receiver, args...); }
    };
    static Bound of(Link& link) noexcept {
        return {*link.receiver, static_cast<const MemberBox<Args...>&>(*boxOf(link.slot))};
    }
    using type = const Bound;
};

/// Whether a call can wait in a queue, with arguments of its own.
template <class... Args>
constexpr bool canBeQueued = (ParamOf<Args>::canBeQueued && ...);

void aQueuedSlotKeepsItsArgumentsAndOneOfTheseCanBeNeitherCopiedNorMoved();

/// The connection type of a signal whose arguments no queue can keep: asking for one does not compile.
class ArgumentsThatCannotBeQueued {
  public:
    consteval ArgumentsThatCannotBeQueued(ConnectionType type) : type_(type) { // NOLINT(google-explicit-constructor)
        if ((static_cast<unsigned>(type) & static_cast<unsigned>(ConnectionType::Queued)) != 0)
            aQueuedSlotKeepsItsArgumentsAndOneOfTheseCanBeNeitherCopiedNorMoved();
    }
    operator ConnectionType() const noexcept { return type_; } // NOLINT(google-explicit-constructor)

  private:
    ConnectionType type_;
};
template <class... Args>
using TypeFor = std::conditional_t<canBeQueued<Args...>, ConnectionType, ArgumentsThatCannotBeQueued>;

/// What a queued call keeps of an argument: a copy, or the argument itself where it can only be moved.
template <class T>
decltype(auto) kept(Param<T>& argument) noexcept {
    if constexpr (ParamOf<T>::canOnlyMove)
        return std::move(argument);
    else
        return static_cast<Seen<T>>(argument);
}

// --- the ways in which a Link is called ---

template <class... Args>
struct WayOf : Way {
    void (*call)(Link& link, Param<Args>... args);
};

template <class... Args>
void passOver(Link&, Param<Args>...) {}

/// What an emission calls where a blocking slot would wait for its own thread.
template <class... Args>
void refuseToWait(Link&, Param<Args>...) {
    reportMisuse("a blocking slot is not called: its receiver lives on the emitting thread");
}

/// What an emission calls where a queued slot would need a copy of what cannot be copied.
template <class... Args>
void refuseToCopy(Link&, Param<Args>...) {
    reportMisuse("a slot on another thread is not called: an argument can be neither copied nor moved");
}

template <class... Args>
bool mayTakeArguments(Link& link) {
    if constexpr ((ParamOf<Args>::canOnlyMove || ...)) {
        if (!link.isOnly()) {
            reportMisuse("a queued slot is not called: an argument can only be moved, and others are connected");
            return false;
        }
    }
    return true;
}

template <class F, class... Args>
struct Call {
    static constexpr int count = arity<typename Callee<F>::type, Seen<Args>...>();
    template <Misfit reason>
    static constexpr bool isNotFor =
        count >= 0 ||
        MisfitOf<typename ParametersOf<typename SlotOf<F>::type>::type, Types<Seen<Args>...>>::value != reason;
    static_assert(isNotFor<Misfit::First>, "the slot's first argument cannot be made from the signal's first");
    static_assert(isNotFor<Misfit::Second>, "the slot's second argument cannot be made from the signal's second");
    static_assert(isNotFor<Misfit::Third>, "the slot's third argument cannot be made from the signal's third");
    static_assert(isNotFor<Misfit::Later>,
                  "an argument of the slot, behind the third, cannot be made from the signal's");
    static_assert(isNotFor<Misfit::TooMany>, "the slot has more arguments than the signal");
    static_assert(isNotFor<Misfit::Unknown>,
                  "this slot cannot be called with the signal's arguments, nor with the first few of them");

    template <class Called>
    static void invoke(Called&& called, Seen<Args>... args) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            [[maybe_unused]] const std::tuple<Seen<Args>...> all(args...);
            std::invoke(called, std::get<I>(all)...);
        }
        (std::make_index_sequence<static_cast<std::size_t>(count < 0 ? 0 : count)>());
    }

    static void direct(Link& link, Param<Args>... args) { invoke(Callee<F>::of(link), args...); }

    static void once(Link& link, Param<Args>... args) {
        if (link.expend())
            direct(link, args...);
    }

    /// A call on its way, which runs unless it was taken back.
    class Posted final : public Runnable {
      public:
        explicit Posted(Link& link, Param<Args>... args) : link_(link), args_(kept<Args>(args)...) {}
        void run() override {
            if (link_.has(Revoked))
                return;
            const QueuedEmission call(link_);
            [this]<std::size_t... I>(std::index_sequence<I...>) { direct(link_, std::get<I>(args_)...); }
            (std::index_sequence_for<Args...>());
        }
        const Tracked* receiver() const noexcept override { return link_.has(Revoked) ? nullptr : link_.receiver; }

      private:
        Link& link_;
        std::tuple<std::decay_t<Args>...> args_;
    };

    static void queued(Link& link, Param<Args>... args) {
        if constexpr (!canBeQueued<Args...>)
            refuseToCopy<Args...>(link, args...);
        else if (mayTakeArguments<Args...>(link))
            link.post(std::make_unique<Posted>(link, args...));
    }

    static void blocking(Link& link, Param<Args>... args) {
        if constexpr (!canBeQueued<Args...>)
            refuseToCopy<Args...>(link, args...);
        else if (mayTakeArguments<Args...>(link))
            link.postAndWait(std::make_unique<Posted>(link, args...));
    }
};

template <class F, class... Args>
struct SlotTable {
    static const SlotOps ops;

  private:
    using Its = Call<F, Args...>;
    static constexpr WayOf<Args...> direct{{&ops}, &Its::direct};
    static constexpr WayOf<Args...> once{{&ops}, &Its::once};
    static constexpr WayOf<Args...> queued{{&ops}, &Its::queued};
    static constexpr WayOf<Args...> blocking{{&ops}, &Its::blocking};
    static constexpr WayOf<Args...> deadlock{{&ops}, &refuseToWait<Args...>};
    static constexpr WayOf<Args...> ended{{&ops}, &passOver<Args...>};
};
template <class F, class... Args>
constinit const SlotOps SlotTable<F, Args...>::ops{
    &direct, &once,      &queued,      &blocking,       &deadlock,
    &ended,  &typeid(F), !fitsLink<F>, isMemberSlot<F>, (ParamOf<Args>::canOnlyMove || ...)};

/// Whether a slot is a pointer, or the like, to nothing.
template <class F>
bool isNull(const F& slot) noexcept {
    if constexpr (std::is_pointer_v<F>)
        return slot == nullptr;
    else
        return false;
}
template <class Signature>
bool isNull(const std::function<Signature>& slot) noexcept {
    return slot == nullptr;
}

/// A slot on its way into a Link.
struct SlotBlank {
    const SlotOps* ops;
    bool missing = false; ///< there is nothing to call
    alignas(void*) std::byte slot[Link::slotSize] = {};

    explicit SlotBlank(const SlotOps& table) noexcept : ops(&table) {}
    SlotBlank(const SlotBlank&) = delete;
    SlotBlank& operator=(const SlotBlank&) = delete;
    /// What was not taken is destroyed.
    ~SlotBlank() {
        if (ops->boxed)
            delete box();
    }
    SlotBox* box() const noexcept { return boxOf(slot); }
};

template <class F, class... Args>
struct SlotMaker : SlotBlank {
    template <class Given>
    SlotMaker(std::in_place_t, Given&& given) : SlotBlank(SlotTable<F, Args...>::ops) {
        missing = isNull(static_cast<const F&>(given));
        if constexpr (fitsLink<F>)
            ::new (static_cast<void*>(slot)) F(std::forward<Given>(given));
        else
            ::new (static_cast<void*>(slot)) SlotBox*(new BoxOf<F>(std::in_place, std::forward<Given>(given)));
    }
};

template <class R, class Slot, class... Args>
struct SlotMaker<MemberSlot<R, Slot>, Args...> : SlotBlank {
    using Member = MemberSlot<R, Slot>;

    struct Box final : MemberBox<Args...> {
        explicit Box(Slot member) noexcept : slot(member) {}
        void call(Tracked& receiver, Seen<Args>... args) const override {
            Call<Member, Args...>::invoke(typename Callee<Member>::Bound{static_cast<R&>(receiver), slot}, args...);
        }
        bool isSame(const SlotBox& other) const noexcept override {
            const Box* const its = dynamic_cast<const Box*>(&other);
            return its != nullptr && its->slot == slot;
        }
        Slot slot;
    };

    explicit SlotMaker(Slot member) : SlotBlank(SlotTable<Member, Args...>::ops) {
        missing = member == nullptr;
        if (missing)
            return;
        if (isOneWord(member)) {
            std::memcpy(slot, &member, std::min(sizeof member, sizeof slot));
        } else {
            ops = &SlotTable<MemberBox<Args...>, Args...>::ops;
            ::new (static_cast<void*>(slot)) SlotBox*(new Box(member));
        }
    }
};

} // namespace halyard::detail
