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
        static_assert(std::is_base_of_v<TaskPromise, Promise>,
                      "what Halyard gives to await can only be awaited in a halyard::Task");
        if constexpr (std::is_base_of_v<TaskPromise, Promise>)
            return suspend(task.promise());
        else
            return false;
    }
    /// @endcond

  protected:
    explicit Suspension(Until until) noexcept : until_(until) {} ///< Until then.
    ~Suspension() {
        if (promise_ != nullptr)
            leave();
    }

    /// Whether the wait is over. Asked first, and then whenever happened() is called.
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

    /// From begin() on: what `watch` is told of, this is.
    void listenTo(const Watch& watch) noexcept { source_ = &watch; }
    /// For constructors of what does nothing in begin() but to listen to the Watch of `source`: where the task's last
    /// one was that, and has heard of all that is wanted by then, there is no begin().
    void listenAsBefore(const Object& source, std::uint8_t wanted) noexcept {
        before_ = &source;
        wanted_ = wanted;
    }
    std::uint8_t wanted() const noexcept { return wanted_; } ///< As listenAsBefore() was told.

  private:
    friend class RunningTask;
    friend class Watch;

    RunningTask* running() const noexcept;
    bool suspend(TaskPromise& promise);
    [[gnu::noinline]] bool listen(RunningTask& running, const TaskPromise& root);
    void leave() noexcept;

    TaskPromise* promise_ = nullptr; ///< of the task; null where that does not wait
    const Watch* source_ = nullptr;
    const Object* before_ = nullptr;
    Until until_;
    std::uint8_t wanted_ = 0;
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
