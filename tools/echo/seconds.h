#pragma once

#include <chrono>

namespace echo {

/// What the command line gives in seconds, and their fractions; never rounded down, so that a little is not none.
inline std::chrono::milliseconds milliseconds(double seconds) {
    return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

} // namespace echo
