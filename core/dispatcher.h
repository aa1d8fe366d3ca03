#pragma once

#include "deadline_heap.h"
#include "poller.h"

#include <halyard/core/clock.h>
#include <halyard/core/deadline.h>
#include <halyard/core/dispatchable.h>
#include <halyard/core/fd_watcher.h>
#include <halyard/signals/affinity.h>
#include <halyard/signals/executor.h>

#include <uv.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace halyard {

class EventLoop;
class Object;
class Thread;

/// For an exception that cannot go on: says so in the log, and ends the program.
[[noreturn]] void endProgram(const std::string& where, const std::exception_ptr& exception);

/// What an EventLoop runs: a Poller, a uv loop beside it, and the lists of what there is to do. Poller and libuv's
/// callbacks only put something on a list; dispatch() works the lists off on a frame of our own.
class Dispatcher final : public Executor, public DispatchState {
  public:
    using Clock = Deadline::Clock;

    /// How many turns stand on the stack, and the exec() levels among them.
    struct ExecLevel {
        ExecLevel* outer;
        bool quit = false;
        int code = 0;
    };

    using ExceptionHandler = std::function<void(std::exception_ptr)>;

    explicit Dispatcher(uv_loop_t* host); ///< null: a uv loop of its own
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    /// Ends it: drops what is queued, detaches what is watched. It is gone when the last of its users is.
    static void close(Dispatcher* dispatcher) noexcept;

    static Dispatcher& current(); ///< of the calling thread's loop, which is made if it has none
    static void makeCurrent(Dispatcher* dispatcher) noexcept { setCurrent(dispatcher); }

    /// Gives the calling thread a Thread where it has none, or that has been destroyed by it.
    static void adoptThread();

    /// Ends the loops of the calling thread, as the thread's end does.
    static void endCurrent();

    /// What it is a loop of; null once it has ended. Thread-safe.
    Thread* thread() const noexcept { return itsThread_; }
    void setThread(Thread* thread) noexcept { itsThread_ = thread; }

    /// The EventLoop that stands for it.
    EventLoop* facade() const noexcept { return facade_; }
    void setFacade(EventLoop* facade) noexcept { facade_ = facade; }

    /// For what leaves a slot in a host's loop.
    void setExceptionHandler(ExceptionHandler handler) { exceptionHandler_ = std::move(handler); }

    bool isHosted() const noexcept { return hosted_; }
    bool isOwnThread() const noexcept { return std::this_thread::get_id() == thread_; }
    uv_loop_t* uvLoop() noexcept { return loop_; } ///< null once it has ended
    /// Others put handles into the uv loop from now on, which then takes part in every turn.
    void shareUv() noexcept { uvIsShared_ = true; }
    /// A handle of ours in the uv loop was started or closed: that looks at it in the next turn.
    void uvHasNews() noexcept;
    /// Wakes a foreign loop that sleeps by an answer given before.
    void wakeBorrower() noexcept {
        if (state_ == State::Lent) [[unlikely]]
            wake();
    }

    /// One turn: waits until `until` for something to do, and does it. False when nothing ran.
    bool turn(std::optional<Clock::time_point> until);
    std::optional<std::chrono::milliseconds> timeout();
    bool isInUv() const noexcept { return inUv_; } ///< in a callback of a handle that is not ours

    /// One turn for a foreign loop; an exception goes to its handler.
    void driveOnce() noexcept;
    int backendFd() const noexcept;

    /// For FdWatcher: 0, or the errno of what failed.
    int watch(FdWatcher& watcher, int descriptor, std::uint32_t interest) noexcept;
    int changeInterest(FdWatcher& watcher, std::uint32_t interest) noexcept;
    void unwatch(FdWatcher& watcher) noexcept;

    /// For ManualClock: runs what is due on the way to `until`; or only sees that it is later now.
    void passTime(Clock::time_point until);
    void timeHasPassed() noexcept;

    void enter(ExecLevel& level) noexcept;
    void leave(ExecLevel& level) noexcept;
    bool isExecuting() const noexcept { return level_ != nullptr; }
    void exit(int code);
    /// Ends all levels; none begins before the outermost has returned.
    void exitAll(int code) noexcept;
    /// The code with which a level that would begin now ends at once.
    std::optional<int> quitAhead() noexcept;

    std::unique_ptr<Runnable> post(std::unique_ptr<Runnable> task) override;
    bool isRunning() const noexcept override {
        return executing_.load(std::memory_order_relaxed) || hosted_ || state_ == State::Lent;
    }
    void moveTasks(Executor& other) override;
    void takePosted() noexcept; ///< What was posted until now has its turn in this one.
    void deleteLater(Object* object);
    void forgetDeletion(Object* object) noexcept;

    void schedule(Dispatchable& what) noexcept;
    /// The same, in a turn: the loop is not to be woken.
    void scheduleReady(Dispatchable& what) noexcept {
        if (!what.isScheduled())
            append(what);
    }
    static void unschedule(Dispatchable& what) noexcept;
    void scheduleSlotReturned(Dispatchable& what);
    void forgetSlotWaiter(std::size_t place) noexcept { slotWaiters_[place] = nullptr; }
    void arm(Deadline& deadline);
    void disarm(Deadline& deadline) noexcept;

    void beginSlot() noexcept { ++depth; }
    void endSlot() noexcept {
        if (isAwaited) [[unlikely]]
            callSlotWaiters();
        --depth;
    }

    /// Whoever keeps a pointer to it: its EventLoop, its Dispatchables, the objects that live in it.
    void addUser() noexcept { ++users_; }
    void removeUser() noexcept {
        if (--users_ == 0)
            delete this;
    }
    /// It does not go before this, though a slot or task may end the loop.
    class Kept {
      public:
        explicit Kept(Dispatcher& dispatcher) noexcept : its_(dispatcher) { its_.addUser(); }
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
        ~Kept() { its_.removeUser(); }

      private:
        Dispatcher& its_;
    };

  private:
    /// Lent: a foreign loop has asked for the timeout and sleeps by the answer. What its own callbacks do to our
    /// objects meanwhile has to wake it.
    enum class State : std::uint8_t { Open, Lent, Closed };

    struct Deletion {
        Object* object;
        int level;
    };

    ~Dispatcher();

    /// What stands in the inbox while nothing is posted and the loop waits, or may do so before it looks again.
    Runnable* asleep() const noexcept {
        return reinterpret_cast<Runnable*>(const_cast<std::atomic<Runnable*>*>(&inbox_));
    }
    bool hasPosted() const noexcept {
        const Runnable* const last = inbox_.load(std::memory_order_relaxed);
        return last != nullptr && last != asleep();
    }
    /// From here on whoever posts wakes the loop. False when something was posted before.
    bool fallAsleep() noexcept {
        Runnable* found = nullptr;
        return inbox_.compare_exchange_strong(found, asleep(), std::memory_order_relaxed) || found == asleep();
    }
    /// From here on the loop looks before it falls asleep.
    void beAwake() noexcept {
        Runnable* found = asleep();
        if (inbox_.load(std::memory_order_relaxed) == found)
            inbox_.compare_exchange_strong(found, nullptr, std::memory_order_relaxed);
    }
    [[gnu::noinline]] void postToSleeper(Runnable* added) noexcept;
    bool hasQueued() const noexcept; ///< what does not depend on the time
    bool hasWork() const noexcept;
    void runUv() noexcept;
    bool hasUvPart() const noexcept { return uvIsShared_ || uvHasNews_ || hosted_; }
    int waitingTime(std::optional<Clock::time_point> until) const;
    void gatherReady(std::optional<Clock::time_point> until);
    void gather(std::optional<Clock::time_point> until);
    void gatherJumping(ManualClock& clock, std::optional<Clock::time_point> until);
    std::optional<Clock::time_point> nextDeadline() const noexcept;
    bool dispatch();
    void seeWhetherExecuting() noexcept {
        executing_.store(level_ != nullptr || turns_ != 0, std::memory_order_relaxed);
    }
    bool runTasks();
    bool runReady(std::uint32_t last);
    void takeInbox() noexcept;
    void collectDue();
    bool hasDeletions() const noexcept {
        return deletionsLeft_ != 0 || othersAskDeletion_.load(std::memory_order_relaxed);
    }
    bool runDeletions(int level);
    void moveDeletions(const Executor& other) noexcept;
    void takeDeletionsOfOthers();
    void callSlotWaiters() noexcept;
    void deleteAll() noexcept;
    void dropTasks() noexcept;
    void wake() noexcept;
    void wakeLocked() noexcept;                                        ///< with endMutex_
    bool isClosed() const noexcept { return state_ == State::Closed; } ///< becomes so under endMutex_
    bool isClosedElseWakes() noexcept;
    void append(Dispatchable& what) noexcept;
    [[gnu::noinline]] void appendUnlessClosed(Dispatchable& what) noexcept;
    void closeHandles() noexcept;

    void armAlarm(std::optional<Clock::time_point> when) noexcept;
    void keepHostAlive() noexcept;

    void dispatchForHost(bool isBeforePolling) noexcept;
    void exceptionLeft(const std::exception_ptr& exception);

    // What other threads post to, apart from what the loop writes as it runs: see detail::lineSize.
    alignas(detail::lineSize) std::atomic<Runnable*> inbox_; ///< posted, the last first; or asleep()
    std::atomic<State> state_ = State::Open;
    const bool hosted_;
    const std::thread::id thread_ = std::this_thread::get_id();

    alignas(detail::lineSize) uv_loop_t* loop_;
    std::atomic<EventLoop*> facade_ = nullptr;
    std::atomic<Thread*> itsThread_ = nullptr;
    std::uint32_t turn_ = 0;
    int turns_ = 0; ///< on the stack
    ExecLevel* level_ = nullptr;
    std::atomic<bool> executing_ = false; ///< a level, or a turn, is on the stack
    std::optional<int> quitting_;         ///< all levels, with this code
    std::atomic<std::size_t> users_ = 1;  ///< those that outlive its thread may go on any; until close(), itself

    // What there is to do.
    Runnable* tasks_ = nullptr; ///< taken from the inbox, the first first
    Runnable** tasksEnd_ = &tasks_;
    std::uint64_t tasksTaken_ = 0;
    std::uint64_t tasksDue_ = 0; ///< so many of them are to begin in the turn that runs
    std::uint64_t tasksBegun_ = 0;
    Dispatchable* ready_ = nullptr;
    Dispatchable** readyEnd_ = &ready_;
    std::vector<Dispatchable*> slotWaiters_; ///< who waits for the running slot to return
    DeadlineHeap deadlines_;
    std::vector<Deletion> deletions_; ///< asked for on its thread, or taken from what others have asked for
    std::size_t deletionsLeft_ = 0;   ///< of them, those that have not come about yet
    std::mutex endMutex_;             ///< over what others ask for, and over waking a loop that may be ending
    std::vector<Object*> deletionsOfOthers_;
    std::atomic<bool> othersAskDeletion_ = false;
    Object* beingDeleted_ = nullptr; ///< by the loop: it is no longer among deletions_
    int deleting_ = 0;

    std::optional<Poller> poller_; ///< as long as it is not closed

    // libuv's part.
    bool uvIsShared_ = false;
    bool uvHasNews_ = false;
    bool inUv_ = false;
    ExceptionHandler exceptionHandler_;
    struct Handles;
    Handles* handles_;
    std::optional<Clock::time_point> alarm_;
};

inline Dispatcher& Dispatchable::dispatcher() const noexcept { return static_cast<Dispatcher&>(*state_); }

inline void Dispatcher::append(Dispatchable& what) noexcept {
    what.turn_ = turn_;
    what.next_ = nullptr;
    what.previous_ = readyEnd_;
    *readyEnd_ = &what;
    readyEnd_ = &what.next_;
}

inline void Dispatcher::schedule(Dispatchable& what) noexcept {
    if (what.previous_ != nullptr)
        return;
    if (state_ == State::Open) [[likely]]
        append(what);
    else
        appendUnlessClosed(what); // apart, so that the way above needs no frame
}

inline void Dispatcher::unschedule(Dispatchable& what) noexcept {
    if (what.previous_ == nullptr)
        return;
    *what.previous_ = what.next_;
    if (what.next_ != nullptr)
        what.next_->previous_ = what.previous_;
    else
        what.dispatcher().readyEnd_ = what.previous_;
    what.previous_ = nullptr;
}

} // namespace halyard
