#pragma once

#include <halyard/signals/export.h>
#include <halyard/signals/spare_memory.h>

#include <memory>

namespace halyard {

class Tracked;

/// A piece of work that an Executor runs once, or drops. It carries its own place in the executor's queue,
/// so that posting it costs no further allocation.
class HALYARD_API Runnable : public detail::Pooled {
  public:
    Runnable() = default;
    Runnable(const Runnable&) = delete;
    Runnable& operator=(const Runnable&) = delete;
    virtual ~Runnable() = default;

    virtual void run() = 0; ///< On the executor's thread, once.

    /// Whose slot it calls, and with whom it moves to another thread; null where it is nobody's, or that is gone.
    virtual const Tracked* receiver() const noexcept { return nullptr; }

    Runnable* next = nullptr; ///< Belongs to the executor that holds the task.
};

/// Where a thread's queued calls go: all that signals know of an event loop.
///
///     struct Hello : halyard::Runnable { void run() override { std::puts("hello from the loop"); } };
///     halyard::Executor::current()->post(std::make_unique<Hello>());
class HALYARD_API Executor {
  public:
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    /// Runs `task` later on the executor's thread, after whatever was posted from this thread before.
    /// An executor that has ended gives the task back. It runs no other code of users. Thread-safe.
    virtual std::unique_ptr<Runnable> post(std::unique_ptr<Runnable> task) = 0;

    /// Whether somebody runs what is posted now: a blocking call waits for nobody else. Thread-safe.
    virtual bool isRunning() const noexcept = 0;

    /// Hands the tasks whose receivers live on the thread of `other` by now to it, in their order; none is run, none
    /// is destroyed. Executor's thread only.
    virtual void moveTasks(Executor& other) = 0;

    /// The executor of the calling thread; null where none was made yet. Thread-safe.
    static Executor* current() noexcept;

  protected:
    Executor() = default;
    ~Executor() = default;

    /// Makes `executor` (or, with null, nothing) the calling thread's. It must outlast this call by nothing: when
    /// the call returns, no other thread posts to the one before any more.
    static void setCurrent(Executor* executor) noexcept;
};

} // namespace halyard
