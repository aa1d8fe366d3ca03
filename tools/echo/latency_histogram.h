#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace echo {

/// Counts durations in buckets that grow with them: each is known to within 1/64 of itself, from a nanosecond to
/// centuries, in 30 KB. (The idea is HdrHistogram's.)
class LatencyHistogram {
  public:
    using Duration = std::chrono::nanoseconds;

    void add(Duration latency) noexcept;
    void clear() noexcept { *this = LatencyHistogram(); }

    std::uint64_t count() const noexcept { return count_; }
    Duration min() const noexcept { return count_ != 0 ? min_ : Duration(0); }
    Duration max() const noexcept { return max_; }
    Duration mean() const noexcept;

    /// The latency that so many of a hundred stay within; 0 where there is none.
    Duration percentile(double hundredth) const noexcept;
    /// How many are in (above, upTo], as far as the buckets tell.
    std::uint64_t between(Duration above, Duration upTo) const noexcept;

  private:
    static constexpr unsigned detail = 6; // bits of a duration that are kept below its highest
    static constexpr std::size_t perDoubling = std::size_t{1} << detail;

    static std::size_t bucketOf(std::uint64_t value) noexcept;
    static std::uint64_t upperEndOf(std::size_t bucket) noexcept;

    std::array<std::uint64_t, perDoubling*(64 - detail + 1)> buckets_{};
    std::uint64_t count_ = 0;
    double sum_ = 0;
    Duration min_ = Duration::max();
    Duration max_{0};
};

} // namespace echo
