#pragma once

#include <halyard/signals/callee.h>
#include <halyard/signals/connection.h>
#include <halyard/signals/emission.h>
#include <halyard/signals/executor.h>
#include <halyard/signals/link.h>
#include <halyard/signals/slot_arguments.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

/// From a callable to the Link that calls it. Nothing here is for users of signals.
namespace halyard::detail {

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

    /// Of the base: a std::unique_ptr for each slot's own class takes the compiler as long as all the rest of it.
    static std::unique_ptr<Runnable> posted(Link& link, Param<Args>... args) {
        return std::unique_ptr<Runnable>(new Posted(link, args...));
    }

    static void queued(Link& link, Param<Args>... args) {
        if constexpr (!canBeQueued<Args...>)
            refuseToCopy<Args...>(link, args...);
        else if (mayTakeArguments<Args...>(link))
            link.post(posted(link, args...));
    }

    static void blocking(Link& link, Param<Args>... args) {
        if constexpr (!canBeQueued<Args...>)
            refuseToCopy<Args...>(link, args...);
        else if (mayTakeArguments<Args...>(link))
            link.postAndWait(posted(link, args...));
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
