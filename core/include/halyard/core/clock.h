#pragma once

#include <halyard/signals/export.h>

#include <chrono>

namespace halyard {

/// Halyard's time: std::chrono's steady clock, unless a ManualClock rules the calling thread. Timers, deadlines and
/// whoever builds on them ask here.
struct HALYARD_API Clock {
    using duration = std::chrono::steady_clock::duration;     ///< That of the steady clock.
    using rep = duration::rep;                                ///< The same.
    using period = duration::period;                          ///< The same.
    using time_point = std::chrono::steady_clock::time_point; ///< A point in this time.
    static constexpr bool is_steady = true;                   ///< It never goes back.

    static time_point now() noexcept; ///< Real time, or where the ManualClock has put it. Thread-safe.

    /// The point in time `delay` from now; the last one there is where the clock does not reach that far.
    static time_point after(std::chrono::milliseconds delay) noexcept;
};

/// As long as one exists, the calling thread's time is in the hands of a test: it stands still, and advance() moves it.
/// A day of timers takes as long as their slots do, and comes out the same each time.
///
///     ManualClock clock;
///     server.start();
///     clock.advance(24h);                     // runs what is due on the way, each at its own time
///     CHECK(server.backups() == 1);
///
/// It rules the thread that made it: its timers, its loop, and the deadlines of its sockets. Other threads, descriptors
/// and signals keep to the real time. It begins at the present time; the innermost of several counts. Afterwards the
/// real time is back, and what was armed for a later one still waits for that.
class HALYARD_API ManualClock {
  public:
    /// What a loop does that has nothing to do while time stands still.
    enum class WhenIdle {
        Wait, ///< Waits for descriptors and for other threads, and no timer goes off before advance(). How long
              ///< processEvents() and a socket's waits wait is real time: others answer in that.
        Jump, ///< Moves the time to the next timer's, or to the end of the wait, and waits only where there is neither:
              ///< exec() and processEvents() then run a program that nobody advances. It does not know of an answer
              ///< that is on its way from another thread or process, and may be ahead of it.
    };

    explicit ManualClock(WhenIdle whenIdle = WhenIdle::Wait) noexcept; ///< Time stands still from now on.
    ManualClock(const ManualClock&) = delete;
    ManualClock& operator=(const ManualClock&) = delete;
    ~ManualClock();

    /// Lets that much time pass. On the way it runs the thread's loop at each point in time at which something is due,
    /// until nothing is left to do there (or a hundred turns have passed); in a slot too, as processEvents() would. A
    /// timer of 0 goes off once in each millisecond. A loop in a host's uv loop does not run inside: what is due by
    /// the end it does in the host's next turn.
    void advance(Clock::duration by);

    /// Only moves the time, and runs nothing: makes late what was due on the way.
    void skip(Clock::duration by) noexcept;

    bool jumps() const noexcept { return jumps_; } ///< Whether idle loops jump to the next deadline.

    /// The one that rules the calling thread; null where time is real.
    static ManualClock* current() noexcept;

  private:
    friend struct Clock;
    friend class Dispatcher;
    friend struct WaitClock;

    /// To `next`; where that is now and something was due now before, by the smallest step.
    void pass(Clock::time_point next) noexcept;

    Clock::time_point now_;
    Clock::time_point lastDue_; ///< the last time at which something was due
    ManualClock* const outer_;
    const bool jumps_;
};

/// The clock of what blocks its thread, for those who build waits: real where an answer comes in real time.
///
///     const auto until = WaitClock::after(30s);
///     while (::ppoll(&watched, 1, &toTimespec(WaitClock::left(until)), nullptr) == 0)
///         if (WaitClock::isOver(until))
///             return false;
struct HALYARD_API WaitClock {
    static Clock::time_point now() noexcept; ///< What waits take for now. Thread-safe.
    /// So long from now; for ever, for a negative delay. Thread-safe.
    static Clock::time_point after(std::chrono::milliseconds delay) noexcept;

    /// When a deadline of Clock comes in this one's time: never where only advance() brings it on.
    static Clock::time_point when(Clock::time_point deadline) noexcept;

    /// For how long a system call may wait; 0 when it is over, and where time jumps.
    static std::chrono::nanoseconds left(Clock::time_point until) noexcept;

    /// Asked when nothing has come in the time that was left. Time that jumps has come there then.
    static bool isOver(Clock::time_point until) noexcept;
};

} // namespace halyard
