#pragma once

#include <cstdlib>
#include <string_view>

namespace soak {

/// Whether this is to go wrong on purpose, so that one sees it found: HALYARD_SOAK_BREAKS names it.
inline bool breaks(std::string_view what) {
    static const char* const named = std::getenv("HALYARD_SOAK_BREAKS");
    return named != nullptr && what == named;
}

} // namespace soak
