#pragma once

#include <halyard/core/clock.h>
#include <halyard/core/dispatchable.h>

#include <chrono>
#include <cstdint>

namespace halyard {

/// A point in time at which the loop calls dispatch(), for those who build on the loop: Timer without object and
/// signal. Arming and disarming cost one step in a heap.
class HALYARD_API Deadline : public Dispatchable {
  public:
    using Clock = halyard::Clock; ///< Whose time it is.

    /// The point in time `delay` from now; the clock's last one where it does not reach that far.
    static Clock::time_point after(std::chrono::milliseconds delay) noexcept { return Clock::after(delay); }

    /// The next beat after one that was due at `due`: an interval later, or from now on where that has passed.
    static Clock::time_point repeat(Clock::time_point due, std::chrono::milliseconds interval) noexcept;

    /// Arms it for `when`, instead of what it was armed for before. It never goes off early, nor in the turn in
    /// which it is armed.
    void arm(Clock::time_point when);
    void disarm() noexcept; ///< It does not come any more.
    /// Armed, or due and not dispatched yet.
    bool isArmed() const noexcept { return heapPlace_ != 0 || isScheduled(); }
    Clock::time_point when() const noexcept { return when_; } ///< When it comes, or last came.

  protected:
    Deadline() = default;
    ~Deadline() override;

    /// It stays armed for the same time, and scheduled.
    void leaveLoop() noexcept override;
    void joinLoop() override; ///< It goes on in the new loop, due when it was.

  private:
    friend class DeadlineHeap;
    friend class Dispatcher;

    Clock::time_point when_{};
    std::uint32_t heapPlace_ = 0; ///< one more than its place in the heap
    bool armAgain_ = false;       ///< when it joins its next loop
};

} // namespace halyard
