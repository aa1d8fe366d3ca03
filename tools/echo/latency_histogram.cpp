#include "latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace echo {

/// The first 128 values have a bucket each; from there on 64 buckets share a doubling.
std::size_t LatencyHistogram::bucketOf(std::uint64_t value) noexcept {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > detail + 1 ? width - detail - 1 : 0;
    return static_cast<std::size_t>(value >> shift) + shift * perDoubling;
}

std::uint64_t LatencyHistogram::upperEndOf(std::size_t bucket) noexcept {
    if (bucket < 2 * perDoubling)
        return bucket;
    const std::size_t shift = bucket / perDoubling - 1;
    return ((static_cast<std::uint64_t>(bucket - shift * perDoubling) + 1) << shift) - 1;
}

void LatencyHistogram::add(Duration latency) noexcept {
    latency = std::max(latency, Duration(0));
    ++buckets_[bucketOf(static_cast<std::uint64_t>(latency.count()))];
    ++count_;
    sum_ += static_cast<double>(latency.count());
    min_ = std::min(min_, latency);
    max_ = std::max(max_, latency);
}

LatencyHistogram::Duration LatencyHistogram::mean() const noexcept {
    return count_ != 0 ? Duration(static_cast<Duration::rep>(sum_ / static_cast<double>(count_))) : Duration(0);
}

LatencyHistogram::Duration LatencyHistogram::percentile(double hundredth) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(hundredth / 100 * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket != buckets_.size(); ++bucket) {
        seen += buckets_[bucket];
        if (seen >= wanted && seen != 0)
            return std::min(Duration(static_cast<Duration::rep>(upperEndOf(bucket))), max_);
    }
    return Duration(0);
}

std::uint64_t LatencyHistogram::between(Duration above, Duration upTo) const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t bucket = 0; bucket != buckets_.size(); ++bucket) {
        const std::uint64_t end = upperEndOf(bucket);
        if (buckets_[bucket] != 0 && end > static_cast<std::uint64_t>(above.count()) &&
            end <= static_cast<std::uint64_t>(upTo.count()))
            sum += buckets_[bucket];
    }
    return sum;
}

} // namespace echo
