#pragma once

#include <halyard/core/running_task.h>
#include <halyard/core/task.h>
#include <halyard/signals/connection.h>

#include <array>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

// Tasks that run beside the one that awaits them.
namespace halyard {

namespace detail {

/// Stands for what a task without a value gives.
template <class T>
using ValueOf = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
ValueOf<T> valueOf(Task<T>& task) {
    if constexpr (std::is_void_v<T>) {
        task.result();
        return {};
    } else {
        return task.result();
    }
}
template <class T>
Awaited<T> awaitedOf(Task<T>& task) {
    if constexpr (std::is_void_v<T>) {
        task.result();
        return {};
    } else {
        return task.result();
    }
}

} // namespace detail

/// A wait for tasks that run by themselves.
class TasksWait : public Suspension {
  protected:
    using Suspension::Suspension;

    /// What is connected to one of them.
    struct Ends {
        ScopedConnection finished;  ///< It ended by itself.
        ScopedConnection destroyed; ///< Or not.
    };

    /// Looks again when this one has ended, or is gone before that.
    void listenTo(const TaskBase& awaited, Ends& ends) {
        RunningTask* const running = awaited.running();
        if (running == nullptr || !isWaiting())
            return;
        ends.finished = running->finished.connect(&task(), [this] { happened(); });
        ends.destroyed = running->destroyed.connect(&task(), [this, &awaited] {
            if (!awaited.isDone())
                gone();
        });
    }
    /// Starts one that belongs to the awaiting task.
    void launch(TaskBase& part, Ends& ends) {
        if (!isWaiting())
            return; // one that began before has ended all
        if (!part.start(&task()))
            throw std::logic_error("a task cannot be awaited: there is none, or it has been started");
        listenTo(part, ends);
        happened();
    }
};

/// See joined().
template <class T>
class JoinWait final : public TasksWait {
  public:
    JoinWait(Task<T>& task, Until until) noexcept : TasksWait(until), awaited_(task) {} ///< For its end.
    /// What `co_await` gives.
    Awaited<T> await_resume() {
        if (failure())
            return *failure();
        return detail::awaitedOf(awaited_);
    }

  private:
    bool look() override { return awaited_.isDone(); }
    void begin() override {
        if (!awaited_.isRunning())
            throw std::logic_error("a task cannot be joined: there is none, or it was not started");
        listenTo(awaited_, ends_);
    }

    Task<T>& awaited_;
    Ends ends_;
};

/// Waits for a task that was started, and is kept, by somebody: its value, or the exception that it has ended with. The
/// task goes on where the wait ends early. std::errc::owner_dead: it was destroyed before its end. Throws
/// std::logic_error where there is no task that was started.
template <class T>
JoinWait<T> joined(Task<T>& task, Until until = {}) noexcept {
    return JoinWait<T>(task, until);
}

/// See within().
template <class T>
class LimitedWait final : public TasksWait {
  public:
    LimitedWait(Until until, Task<T> task) noexcept : TasksWait(until), part_(std::move(task)) {} ///< For so long.
    /// What `co_await` gives.
    Awaited<T> await_resume() {
        if (failure())
            return *failure();
        return detail::awaitedOf(part_);
    }

  private:
    bool look() override { return part_.isDone(); }
    void begin() override {
        begun_ = true;
        this->launch(part_, ends_);
    }
    bool interrupted(std::error_code why) override {
        if (begun_ && why == std::errc::operation_canceled) {
            part_.cancel();
            return false; // it ends as it thinks fit
        }
        part_ = {};
        return fail(why);
    }

    Task<T> part_;
    Ends ends_;
    bool begun_ = false; ///< not so in a task that was cancelled before
};

/// Runs a task for so long at most: its value, or the exception that it has ended with; std::errc::timed_out when the
/// time is over, the task is destroyed then. Cancelling the awaiting task cancels this one, and waits for its end; in a
/// task that was cancelled before, it is not begun.
///
///     const auto session = co_await within(5s, handshake(socket));
template <class T>
LimitedWait<T> within(Until until, Task<T> task) noexcept {
    return LimitedWait<T>(until, std::move(task));
}

/// Tasks that are started together, and end with the wait for them.
template <class... T>
class TaskGroup : public TasksWait {
  protected:
    /// None is started yet.
    explicit TaskGroup(Task<T>&&... tasks) noexcept : TasksWait(Until()), parts_(std::move(tasks)...) {}

    /// Starts them, in their order.
    void begin() override {
        begun_ = true;
        std::size_t place = 0;
        std::apply([&](auto&... part) { (this->launch(part, ends_[place++]), ...); }, parts_);
    }
    /// Ends when they have; at once where one was taken away, whose result is missed then. Where the task was cancelled
    /// before, they begin all the same: they have to give a value.
    bool interrupted(std::error_code why) override {
        try {
            if (!begun_)
                begin();
        } catch (...) {
            return true; // what was not begun has no result, and says so
        }
        std::apply([](auto&... part) { (part.cancel(), ...); }, parts_);
        return look() || why == std::errc::owner_dead;
    }

    std::tuple<Task<T>...> parts_; ///< In their order.

  private:
    std::array<Ends, sizeof...(T)> ends_;
    bool begun_ = false;
};

/// See whenAll().
template <class... T>
class AllWait final : public TaskGroup<T...> {
  public:
    explicit AllWait(Task<T>... tasks) noexcept : TaskGroup<T...>(std::move(tasks)...) {} ///< For all of them.
    /// What `co_await` gives.
    std::tuple<detail::ValueOf<T>...> await_resume() {
        return std::apply([](auto&... part) { return std::tuple<detail::ValueOf<T>...>{detail::valueOf(part)...}; },
                          this->parts_);
    }

  private:
    bool look() override {
        return std::apply([](const auto&... part) { return (part.isDone() && ...); }, this->parts_);
    }
};

/// Runs the tasks side by side until all have ended: their values, std::monostate for one without. The exception of the
/// first that has ended with one is thrown, those of others are logged. Cancelling cancels all.
template <class... T>
AllWait<T...> whenAll(Task<T>... tasks) noexcept {
    return AllWait<T...>(std::move(tasks)...);
}

/// See whenAny().
template <class... T>
class AnyWait final : public TaskGroup<T...> {
    using Value = std::variant<detail::ValueOf<T>...>;

  public:
    explicit AnyWait(Task<T>... tasks) noexcept : TaskGroup<T...>(std::move(tasks)...) {} ///< For one of them.
    /// What `co_await` gives.
    Value await_resume() { return take(std::index_sequence_for<T...>()); }

  private:
    bool look() override {
        return std::apply([](const auto&... part) { return (part.isDone() || ...); }, this->parts_);
    }
    template <std::size_t... I>
    Value take(std::index_sequence<I...>) {
        std::optional<Value> first;
        ((!first && std::get<I>(this->parts_).isDone()
              ? static_cast<void>(first.emplace(std::in_place_index<I>, detail::valueOf(std::get<I>(this->parts_))))
              : static_cast<void>(std::get<I>(this->parts_) = {})),
         ...);
        if (!first)
            throw std::logic_error("none of the tasks has ended: one was taken away, or cannot be awaited");
        return *std::move(first);
    }
};

/// Runs the tasks side by side until one has ended: its value, or its exception; index() tells whose. The others are
/// destroyed.
///
///     const auto first = co_await whenAny(answer(socket), sleep(5s));
///     if (first.index() == 1)
///         std::puts("no answer");
template <class... T>
AnyWait<T...> whenAny(Task<T>... tasks) noexcept {
    return AnyWait<T...>(std::move(tasks)...);
}

} // namespace halyard
