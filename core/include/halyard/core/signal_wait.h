#pragma once

#include <halyard/core/running_task.h>
#include <halyard/core/suspension.h>
#include <halyard/signals/connection.h>
#include <halyard/signals/signal.h>

#include <tuple>
#include <type_traits>
#include <utility>

namespace halyard {

namespace detail {

/// What an await of a signal brings: nothing, its argument, or its arguments.
template <class... Args>
struct Emitted {
    using type = std::tuple<std::decay_t<Args>...>;
};
template <class Arg>
struct Emitted<Arg> {
    using type = std::decay_t<Arg>;
};
template <>
struct Emitted<> {
    using type = void;
};

} // namespace detail

/// Waits for the next emission of a signal. The task goes on inside the emission, or, where the signal lives on another
/// thread, in a turn of its own; what is emitted meanwhile nobody waits for.
template <class... Args>
class SignalWait final : public Await<typename detail::Emitted<Args...>::type> {
    static_assert((std::is_copy_constructible_v<std::decay_t<Args>> && ...),
                  "a signal cannot be awaited when an argument cannot be copied: other slots may want it too");
    using Base = Await<typename detail::Emitted<Args...>::type>;

  public:
    /// For the next emission, until then.
    explicit SignalWait(Signal<Args...>& signal, Until until = {}) noexcept : Base(until), signal_(signal) {}

  private:
    struct Slot {
        SignalWait* wait;
        SignalEnd end;
        void operator()(const std::decay_t<Args>&... args) const { wait->take(args...); }
    };

    bool look() override { return this->hasEnded(); }
    void begin() override { connection_ = signal_.connect(&this->task(), Slot{this, SignalEnd(this->task())}); }
    void take(const std::decay_t<Args>&... args) {
        if (this->hasEnded())
            return;
        if constexpr (sizeof...(Args) == 0)
            this->set();
        else
            this->set(typename detail::Emitted<Args...>::type(args...));
        this->happened();
    }

    Signal<Args...>& signal_;
    ScopedConnection connection_;
};

/// Waits for the next emission of `signal`, in any thread. Inside a Task `co_await signal` is the same without an end.
/// An object that dies while its signal is awaited ends the wait with std::errc::owner_dead.
///
///     if (const auto temperature = co_await emitted(thermometer.changed, 1min))
///         std::printf("%.1f\n", *temperature);
template <class... Args>
SignalWait<Args...> emitted(Signal<Args...>& signal, Until until = {}) noexcept {
    return SignalWait<Args...>(signal, until);
}

} // namespace halyard
