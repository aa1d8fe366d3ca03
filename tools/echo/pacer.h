#pragma once

#include <halyard/core/fd_notifier.h>
#include <halyard/core/object.h>

#include <chrono>
#include <cstdint>
#include <memory>

namespace echo {

/// Says when the next message of an open loop is to leave: at even intervals from the first on, whatever happens. It is
/// kept by the kernel (timerfd_create(2)), because a loop's timers are only good to the millisecond.
class Pacer : public halyard::Object {
  public:
    using Clock = std::chrono::steady_clock;

    /// Throws std::system_error where the system has no timer left.
    explicit Pacer(double perSecond);
    ~Pacer() override;

    /// Each time that has come, in order; a slot that is late gets them all.
    halyard::Signal<Clock::time_point> due{this};

  private:
    void expire();
    Clock::time_point timeOf(std::uint64_t number) const;

    double perSecond_;
    Clock::time_point begin_ = Clock::now();
    std::uint64_t next_ = 0;
    int timer_;
    std::unique_ptr<halyard::FdNotifier> notifier_;
};

} // namespace echo
