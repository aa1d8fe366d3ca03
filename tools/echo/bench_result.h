#pragma once

#include "bench.h"
#include "latency_histogram.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace echo {

/// What a measurement has found so far.
struct BenchResult {
    LatencyHistogram latencies;
    std::uint64_t sent = 0;
    std::uint64_t failed = 0; ///< messages that did not come back, or came back wrong
    std::uint64_t connects = 0;
    std::map<std::string, std::uint64_t> errors; ///< sentences, and how often
    std::chrono::nanoseconds time{0};
    bool interrupted = false;

    std::string text() const; ///< For people: percentiles and a histogram in characters.
    std::string json(const BenchOptions& options) const;
    std::string progress() const; ///< A line.
};

} // namespace echo
