#pragma once

#include <halyard/core/object.h>
#include <halyard/core/signal_wait.h>
#include <halyard/core/suspension.h>
#include <halyard/core/task_parameters.h>
#include <halyard/signals/export.h>

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace halyard {

class TaskBase;
template <class T>
class Task;
template <class T>
class TaskWait;

namespace detail {

/// Awaits what stands where it stands: g++ 12 copies it where it is given a reference.
template <class S>
class Reference {
  public:
    explicit Reference(S& wait) noexcept : wait_(wait) {}
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> task) {
        return wait_.await_suspend(task);
    }
    decltype(auto) await_resume() { return wait_.await_resume(); }

  private:
    S& wait_;
};

} // namespace detail

/// What the compiler keeps in a task's frame. Nothing here is for users of tasks.
class HALYARD_API TaskPromise {
  public:
    TaskPromise(const TaskPromise&) = delete;
    TaskPromise& operator=(const TaskPromise&) = delete;

    std::suspend_always initial_suspend() const noexcept { return {}; }

    struct Over {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> task) const noexcept {
            return task.promise().next();
        }
        void await_resume() const noexcept {}
    };
    Over final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { exception_ = std::current_exception(); }

    template <class S>
    requires std::derived_from<std::remove_reference_t<S>, Suspension>
    auto await_transform(S&& wait) noexcept { return detail::Reference<std::remove_reference_t<S>>(wait); }
    template <class... Args>
    SignalWait<Args...> await_transform(Signal<Args...>& signal) noexcept {
        return SignalWait<Args...>(signal);
    }
    template <class T>
    TaskWait<T> await_transform(Task<T>&& task) {
        return TaskWait<T>(std::move(task));
    }
    template <class T>
    std::suspend_never await_transform(Task<T>&) noexcept {
        static_assert(!std::same_as<T, T>, "a task is awaited once, by co_await std::move(task); one that was started, "
                                           "by co_await joined(task)");
        return {};
    }
    template <class Other>
    std::suspend_never await_transform(Other&&) noexcept {
        static_assert(!std::same_as<Other, Other>,
                      "a halyard::Task awaits tasks, signals, and what is derived from halyard::Suspension");
        return {};
    }

  protected:
    TaskPromise() noexcept = default;
    ~TaskPromise(); ///< Logs an exception that nobody took.

    void setHandle(std::coroutine_handle<> itself) noexcept { itself_ = itself; }
    /// Throws what the task has ended with, if anything.
    void rethrow() {
        if (exception_ != nullptr)
            std::rethrow_exception(std::exchange(exception_, nullptr));
    }

  private:
    friend class RunningTask;
    friend class Suspension;
    friend class TaskBase;
    template <class T>
    friend class TaskWait;

    /// Whether the awaiting one, and all above it, shall go no further.
    bool isDoomed() const noexcept { return root_->running_ == nullptr; }
    /// Who goes on when this has ended; in the call that began it, and where all shall end, whoever called.
    std::coroutine_handle<> next() noexcept {
        isOver_ = !isDoomed();
        running_ = nullptr;
        return isOver_ && awaiting_ && !begins_ ? awaiting_ : std::noop_coroutine();
    }
    bool beginFor(TaskPromise& awaiting, std::coroutine_handle<> itself);

    TaskPromise* root_ = this;       ///< of what was started
    RunningTask* running_ = nullptr; ///< of the root; null before it begins, after its end, and where it shall end
    TaskBase* owner_ = nullptr;      ///< who keeps it; null where it keeps itself
    std::coroutine_handle<> itself_;
    std::coroutine_handle<> awaiting_;
    std::exception_ptr exception_;
    bool begins_ = false;
    bool isOver_ = false; ///< by itself
};

/// suspend() where it is known that there is nothing to go on with: most often the task has awaited just the same
/// before.
inline bool Suspension::suspendAsBefore(TaskPromise& promise) {
    RunningTask* const running = promise.root_->running_;
    if (running == nullptr || running->interest_ != interest_) [[unlikely]]
        return suspend(promise);
    promise_ = &promise;
    running->suspension_ = this;
    running->listensTo_ = running->watches_.get();
    return true;
}

/// What tasks of all types share.
class HALYARD_API TaskBase {
  public:
    /// Runs the task up to its first wait, and keeps it going from then on; it ends when it has ended, when `context`
    /// dies or when this handle does, and everything in it with it. It may be called in any slot. False, with a logged
    /// sentence: no task, one that was started or awaited before, no context, one on another thread or one that is
    /// being destroyed.
    bool start(Object* context);

    /// It has ended by itself: with its result, or with an exception.
    bool isDone() const noexcept { return promise_ != nullptr && promise_->isOver_; }
    /// It was started and has not ended.
    bool isRunning() const noexcept { return running() != nullptr; }
    /// The object that stands for it in its context while it runs, and tells of its end; null before and after.
    RunningTask* running() const noexcept { return promise_ != nullptr ? promise_->running_ : nullptr; }
    /// There is a task: false for a handle that was made without one or moved from, and once the context has died.
    explicit operator bool() const noexcept { return promise_ != nullptr; }

    /// See RunningTask::cancel(). Harmless unless it is running.
    void cancel() noexcept;

    /// @cond
  protected:
    TaskBase() noexcept = default;
    explicit TaskBase(TaskPromise& promise) noexcept : promise_(&promise) { promise.owner_ = this; }
    TaskBase(TaskBase&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) { own(); }
    TaskBase& operator=(TaskBase&& other) noexcept {
        if (this != &other) {
            drop();
            promise_ = std::exchange(other.promise_, nullptr);
            own();
        }
        return *this;
    }
    ~TaskBase() { drop(); }

    TaskPromise* promise() const noexcept { return promise_; }
    /// The promise of a task that has ended, for its result. Throws std::logic_error where there is none.
    TaskPromise& ended() const;
    static bool startAlone(Object* context, TaskBase& task) { return task.begin(context, false); }

  private:
    friend class RunningTask;
    template <class T>
    friend bool start(Object* context, Task<T> task);
    template <class T>
    friend class TaskWait;

    void own() noexcept {
        if (promise_ != nullptr)
            promise_->owner_ = this;
    }
    void drop() noexcept;
    bool begin(Object* context, bool keep);
    TaskPromise& awaitable() const;

    TaskPromise* promise_ = nullptr;
    /// @endcond
};

/// A coroutine that gives a T, or throws: straight-line code about what takes its time.
///
///     Task<std::string> ask(TcpSocket& socket, std::string question) {
///         socket.write(question + '\n');
///         const auto answer = co_await readLine(socket, 10s);
///         co_return answer ? *answer : "no answer: " + answer.error().message();
///     }
///
/// It begins when it is awaited in another task, `co_await ask(socket, "who")`, or started: with a context it lives as
/// long as that, and as its handle.
///
///     Task<> session = talk(socket);
///     session.start(&socket);             // ends with `session` too
///     start(&socket, talk(socket));       // ends with the socket alone
///
/// A task that ends before its time, because its context or its handle has gone, is destroyed where it waits, with
/// everything that it has on its stack; where it runs at that moment, as soon as it waits next. It runs on the thread
/// of its context, inside the slot that it was waiting for, and everything is allowed in it that is allowed there.
///
/// An exception goes to who awaits the task, or to who asks for the result(); one that nobody took is logged.
/// Parameters are kept in the task: they must be values, or references to what outlives it.
template <class T = void>
class [[nodiscard]] Task : public TaskBase {
    static_assert(!std::is_reference_v<T>, "a task gives a value, not a reference");

  public:
    class promise_type;

    Task() noexcept = default;

    /// What it has given, moved out, or the exception that it has ended with. Throws std::logic_error unless it
    /// isDone().
    T result() { return static_cast<promise_type&>(ended()).take(); }

  private:
    explicit Task(promise_type& promise) noexcept : TaskBase(promise) {}
    friend class TaskWait<T>;
};

template <class T>
class Task<T>::promise_type : public TaskPromise {
  public:
    template <class Value>
    requires std::convertible_to<Value, T>
    void return_value(Value&& value) { value_.emplace(std::forward<Value>(value)); }

    T take() {
        rethrow();
        return std::move(value_.value()); // which throws where it was taken before
    }

  protected:
    Task taskOf(std::coroutine_handle<> itself) noexcept {
        setHandle(itself);
        return Task(*this);
    }

  private:
    std::optional<T> value_;
};

template <>
class Task<void>::promise_type : public TaskPromise {
  public:
    void return_void() const noexcept {}
    void take() { rethrow(); }

  protected:
    Task taskOf(std::coroutine_handle<> itself) noexcept {
        setHandle(itself);
        return Task(*this);
    }
};

/// A task that another one awaits, and owns meanwhile.
template <class T>
class TaskWait {
  public:
    explicit TaskWait(Task<T>&& task) : task_(std::move(task)) {}
    TaskWait(const TaskWait&) = delete;
    TaskWait& operator=(const TaskWait&) = delete;

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        return task_.awaitable().beginFor(awaiting.promise(), awaiting);
    }
    T await_resume() { return task_.result(); }

  private:
    Task<T> task_;
};

/// Starts a task that nobody holds: it ends by itself or with `context`. False as with TaskBase::start().
template <class T>
bool start(Object* context, Task<T> task) {
    return TaskBase::startAlone(context, task);
}

} // namespace halyard

template <class T, class... Args>
struct std::coroutine_traits<halyard::Task<T>, Args...> {
    using promise_type = halyard::detail::PromiseFor<halyard::Task<T>, Args...>;
};
