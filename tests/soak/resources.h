#pragma once

#include <chrono>
#include <cstddef>

namespace soak {

/// What the process holds.
struct Resources {
    std::size_t descriptors = 0;
    std::size_t allocated = 0; ///< bytes that the allocator has given out; 0 where it does not say
    std::size_t resident = 0;  ///< bytes; 0 where the system does not say

    static Resources now();
};

std::chrono::nanoseconds processorTime();

} // namespace soak
