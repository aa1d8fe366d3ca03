#pragma once

#include <halyard/core/clock.h>

#include <optional>
#include <span>

struct pollfd;

namespace halyard {

/// poll(2) until a point in time of WaitClock (none: for ever); a signal that comes meanwhile costs no time. How many
/// are ready, 0 when the time is over, negated errno else.
int pollUntil(std::span<pollfd> looks, std::optional<Clock::time_point> until) noexcept;

} // namespace halyard
