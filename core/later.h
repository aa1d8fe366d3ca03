#pragma once

#include <chrono>

namespace halyard {

/// The point in time `delay` later; the clock's last one where it does not reach that far.
template <class Duration>
std::chrono::steady_clock::time_point later(std::chrono::steady_clock::time_point time, Duration delay) noexcept {
    const auto reach = std::chrono::floor<Duration>(std::chrono::steady_clock::time_point::max() - time);
    return delay < reach ? time + delay : std::chrono::steady_clock::time_point::max();
}

} // namespace halyard
