#pragma once

#include <halyard/core/awaited.h>
#include <halyard/signals/export.h>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace halyard {

class Object;
class RunningTask;
class TaskPromise;
class Watch;

namespace detail {

/// Which news of which object a wait wants to be told of by a Watch, and whether for a limited time: one number, which
/// is compared at once.
class Interest {
  public:
    static constexpr std::uint8_t most = 3; ///< The news of an object are numbers up to this.

    Interest() noexcept = default; ///< In nothing.
    /// For so long.
    Interest(const Object& source, std::uint8_t news, Until until) noexcept
        : number_(std::uint64_t{reinterpret_cast<std::uintptr_t>(&source)} << 3U | news |
                  (until.isForEver() ? 0U : limited)) {}

    Interest forEver() const noexcept { return Interest(number_ & ~limited); } ///< The same without a limit.
    bool operator==(const Interest&) const noexcept = default;
    explicit operator bool() const noexcept { return number_ != 0; } ///< In something.

  private:
    static constexpr std::uint64_t limited = most + 1;
    explicit Interest(std::uint64_t number) noexcept : number_(number) {}

    std::uint64_t number_ = 0;
};

} // namespace detail

/// What a task is suspended in: the base of everything that can be awaited. It lives in the task's frame and allocates
/// nothing. One's own derive from Await<T> and say how they see that the wait is over:
///
///     class Quiet : public Await<void> {                      // co_await Quiet(meter, 5s)
///       public:
///         Quiet(Meter& meter, Until until) : Await(until), meter_(meter) {}
///       private:
///         bool look() override { return meter_.level() < 3 && set(); }
///         void begin() override { changed_ = meter_.changed.connect(&task(), [this] { happened(); }); }
///         Meter& meter_;
///         ScopedConnection changed_;
///     };
class HALYARD_API Suspension {
  public:
    Suspension(const Suspension&) = delete;
    Suspension& operator=(const Suspension&) = delete;

    /// @cond
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> task) {
        return await_suspend(task, false);
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> task, bool hasToWait) {
        static_assert(std::is_base_of_v<TaskPromise, Promise>,
                      "what Halyard gives to await can only be awaited in a halyard::Task");
        if constexpr (std::is_base_of_v<TaskPromise, Promise>)
            return hasToWait ? suspendAsBefore(task.promise()) : suspend(task.promise());
        else
            return false;
    }
    /// @endcond

  protected:
    explicit Suspension(Until until) noexcept : until_(until) {} ///< Until then.
    /// For what does nothing in begin() but to listen to the Watch of `source`, and this in it: a task that has awaited
    /// just that before needs no begin().
    Suspension(Until until, const Object& source, std::uint8_t news) noexcept
        : interest_(source, news, until), until_(until) {}
    ~Suspension() {
        if (promise_ != nullptr)
            leave();
    }

    /// Whether the wait is over. Asked first, and then whenever happened() is called. What it throws goes to the task
    /// at first, and later leaves through the slot that called happened(): the task waits on.
    virtual bool look() = 0;
    /// Begins to listen for what may end it: the first look has found nothing. It may be over when this returns.
    virtual void begin() {}
    /// The time is over, the task was cancelled, or what is awaited is gone. True ends the wait.
    virtual bool interrupted(std::error_code why) { return fail(why); }

    /// Looks, and lets the task go on where the wait is over; then this may be gone. On the task's thread, and not in
    /// a destructor of what the task uses.
    void happened();
    /// What it waits for is gone, or about to be: the task goes on in the next turn.
    void gone();
    RunningTask& task() const noexcept; ///< From begin() on.
    bool isWaiting() const noexcept;    ///< False where the task has lost its context meanwhile.

    /// There is no value; true.
    bool fail(std::error_code why) noexcept {
        failure_ = why;
        return true;
    }
    /// Why there is no value, once that is known.
    const std::optional<std::error_code>& failure() const noexcept { return failure_; }
    Until until() const noexcept { return until_; } ///< When it ends.

    /// In begin(): what `watch` is told of, this is.
    void listenTo(const Watch& watch) noexcept;

  private:
    friend class RunningTask;
    friend class Watch;

    RunningTask* running() const noexcept;
    bool suspend(TaskPromise& promise);
    bool suspendAsBefore(TaskPromise& promise);
    [[gnu::noinline]] bool listen(RunningTask& running, const TaskPromise& root);
    void leave() noexcept;

    TaskPromise* promise_ = nullptr; ///< of the task; null where that does not wait
    detail::Interest interest_;
    Until until_;
    std::optional<std::error_code> failure_;
};

/// A Suspension that brings a T.
template <class T>
class Await : public Suspension {
  public:
    /// What `co_await` gives.
    Awaited<T> await_resume() {
        if (failure())
            return *failure();
        return std::move(*value_);
    }

  protected:
    explicit Await(Until until = {}) noexcept : Suspension(until) {} ///< Until then.
    using Suspension::Suspension;                                    ///< Or as that.
    /// Here is the value; true.
    bool set(T value) {
        value_.emplace(std::move(value));
        return true;
    }
    bool hasEnded() const noexcept { return value_.has_value() || failure(); } ///< There is a value, or a failure.

  private:
    std::optional<T> value_;
};

/// A Suspension that brings nothing but its end.
template <>
class Await<void> : public Suspension {
  public:
    /// What `co_await` gives.
    Awaited<void> await_resume() noexcept { return failure() ? Awaited<void>(*failure()) : Awaited<void>(); }

  protected:
    explicit Await(Until until = {}) noexcept : Suspension(until) {}  ///< Until then.
    using Suspension::Suspension;                                     ///< Or as that.
    bool set() noexcept { return hasEnded_ = true; }                  ///< It is over; true.
    bool hasEnded() const noexcept { return hasEnded_ || failure(); } ///< It is over, or has failed.

  private:
    bool hasEnded_ = false;
};

/// Ends when its time is over: `co_await sleepFor(100ms)`.
class Sleep final : public Await<void> {
  public:
    explicit Sleep(Until until) noexcept : Await(until) {} ///< Until then.

  private:
    // Cold, lest g++ takes it for the look() that it calls wherever it sees no other one.
    [[gnu::cold]] bool look() override { return false; }
    bool interrupted(std::error_code why) override { return why == std::errc::timed_out ? set() : fail(why); }
};

/// Waits so long, in the time of Clock; never less. 0 waits for the next turn of the loop.
template <class Rep, class Period>
Sleep sleepFor(std::chrono::duration<Rep, Period> delay) noexcept {
    return Sleep(delay);
}
inline Sleep sleepUntil(Clock::time_point when) noexcept { return Sleep(when); } ///< Waits until then.

} // namespace halyard
