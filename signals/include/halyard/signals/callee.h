#pragma once

#include <halyard/signals/link.h>
#include <halyard/signals/tracked.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

/// What a Link calls: how it lies there, and which of a signal's arguments it gets. Nothing here is for users of
/// signals.
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

} // namespace halyard::detail
