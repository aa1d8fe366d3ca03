#pragma once

#include <halyard/core/clock.h>

#include <optional>
#include <span>

struct pollfd;

namespace halyard {

/// poll(2) until a point in time of WaitClock (none: for ever); a signal that comes meanwhile costs no time. How many
/// are ready, 0 when the time is over, negated errno else.
int pollUntil(std::span<pollfd> looks, std::optional<Clock::time_point> until) noexcept;

/// Says when a wait has to end although something is ready at each look: what is ready when the time is over is still
/// done, but not without end, for a peer may always have something more.
class Overtime {
  public:
    /// Asked once a look, for a point in time of WaitClock (none: never).
    bool isOver(std::optional<Clock::time_point> until) noexcept {
        return until && WaitClock::now() >= *until && ++looks_ > most;
    }

  private:
    static constexpr int most = 16;
    int looks_ = 0; ///< since the time was over
};

} // namespace halyard
