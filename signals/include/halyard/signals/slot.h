#pragma once

#include <halyard/signals/executor.h>
#include <halyard/signals/link.h>

#include <cstddef>
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

/// How an argument travels from the emission to the slot.
template <class T>
struct ParamOf {
    static constexpr bool byValue =
        std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T> && sizeof(T) <= 2 * sizeof(void*);
    using type = std::conditional_t<byValue, T, const T&>;
};
template <class T>
struct ParamOf<T&> {
    using type = T&;
};
template <class T>
using Param = typename ParamOf<T>::type;

/// A member function of an object that is, or is a part of, an R; the Link's receiver is that R.
template <class R, class Slot>
struct MemberSlot {
    Slot slot;
};

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

/// The next signal of a relay.
template <class NextSignal>
struct RelaySlot {
    NextSignal* next;

    template <class... Args>
    requires std::is_invocable_v<const NextSignal&, Args...>
    void operator()(Args&&... args) const { (*next)(std::forward<Args>(args)...); }
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

/// A slot of type F as its Link holds it: in the Link where it is small and trivial, else on the heap.
template <class F>
constexpr bool
    fitsLink = sizeof(F) <= Link::slotSize &&
               alignof(F) <= alignof(void*) && std::is_trivially_copyable_v<F>&& std::is_trivially_destructible_v<F>;

template <class F>
F& slotOf(const Link& link) noexcept {
    auto* place = const_cast<std::byte*>(link.slot);
    if constexpr (fitsLink<F>)
        return *std::launder(reinterpret_cast<F*>(place));
    else
        return **std::launder(reinterpret_cast<F**>(place));
}

/// What is really called: the functor, or the member function bound to its receiver.
template <class F>
struct Callee {
    static F& of(Link& link) noexcept { return slotOf<F>(link); }
    using type = F;
};
template <class R, class Slot>
struct Callee<MemberSlot<R, Slot>> {
    struct Bound {
        R* object;
        Slot slot;

        template <class... Args>
        requires std::is_invocable_v<Slot, R*, Args...>
        void operator()(Args&&... args) const { std::invoke(slot, object, std::forward<Args>(args)...); }
    };
    static Bound of(Link& link) noexcept {
        return {static_cast<R*>(link.receiver), slotOf<MemberSlot<R, Slot>>(link).slot};
    }
    using type = const Bound;
};

/// Whether a call can wait in a queue, with copies of its arguments.
template <class... Args>
constexpr bool canBeQueued = (std::is_copy_constructible_v<std::decay_t<Args>> && ...);

template <class F, class... Args>
struct Call {
    // As constants that have a name: a slot can neither change an argument nor move it away.
    static constexpr int count = arity<typename Callee<F>::type, const Param<Args>&...>();
    static_assert(count >= 0, "this slot cannot be called with the signal's arguments, nor with the first few of them");

    static void direct(Link& link, Param<Args>... args) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            [[maybe_unused]] const std::tuple<const Param<Args>&...> all(args...);
            std::invoke(Callee<F>::of(link), std::get<I>(all)...);
        }
        (std::make_index_sequence<static_cast<std::size_t>(count < 0 ? 0 : count)>());
    }

    static void ended(Link&, Param<Args>...) {}

    /// A call on its way: it keeps its Link, and runs unless it was taken back.
    class Posted final : public Task {
      public:
        explicit Posted(Link& link, Param<Args>... args) : link_(link), args_(args...) { ++link_.queued; }
        Posted(const Posted&) = delete;
        Posted& operator=(const Posted&) = delete;
        ~Posted() override {
            if (pending_)
                settle();
        }
        void run() override {
            const LinkWalk walking(link_);
            settle();
            if (!link_.has(Link::Revoked))
                std::apply([this](const auto&... args) { direct(link_, args...); }, args_);
        }

      private:
        void settle() noexcept {
            pending_ = false;
            if (--link_.queued == 0 && link_.has(Link::Orphan))
                link_.releaseIfUnused();
        }

        Link& link_;
        std::tuple<std::decay_t<Args>...> args_;
        bool pending_ = true;
    };

    static void queued(Link& link, Param<Args>... args) {
        if constexpr (canBeQueued<Args...>)
            link.receiver->executor()->post(std::make_unique<Posted>(link, args...));
    }

    static Thunk choose(std::uint32_t flags) {
        if ((flags & (Link::Ended | Link::Blocked)) != 0)
            return reinterpret_cast<Thunk>(&ended);
        return (flags & Link::Queued) != 0 ? reinterpret_cast<Thunk>(&queued) : reinterpret_cast<Thunk>(&direct);
    }

    static void drop(void* functor) { delete static_cast<F*>(functor); }
};

template <class F, class... Args>
inline constexpr SlotOps slotOps{&Call<F, Args...>::choose, fitsLink<F> ? nullptr : &Call<F, Args...>::drop, &typeid(F),
                                 canBeQueued<Args...>};

/// Whether a slot is a pointer, or the like, to nothing.
template <class F>
bool isNull(const F& slot) noexcept {
    if constexpr (std::is_pointer_v<F>)
        return slot == nullptr;
    else
        return false;
}
template <class R, class Slot>
bool isNull(const MemberSlot<R, Slot>& slot) noexcept {
    return slot.slot == nullptr;
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
        if (ops->drop != nullptr && heap() != nullptr)
            ops->drop(heap());
    }
    void* heap() const noexcept { return *std::launder(reinterpret_cast<void* const*>(slot)); }
};

template <class F, class... Args>
struct SlotMaker : SlotBlank {
    template <class Given>
    SlotMaker(std::in_place_t, Given&& given) : SlotBlank(slotOps<F, Args...>) {
        missing = isNull(static_cast<const F&>(given));
        if constexpr (fitsLink<F>)
            ::new (static_cast<void*>(slot)) F(std::forward<Given>(given));
        else
            ::new (static_cast<void*>(slot)) F*(new F(std::forward<Given>(given)));
    }
};

} // namespace halyard::detail
