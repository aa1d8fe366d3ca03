#pragma once

#include <halyard/core/log.h>

#include <string_view>

namespace halyard {

/// What a wrong call gets: a sentence in the log, and false.
inline bool refuse(std::string_view sentence) {
    logMessage(LogLevel::Warning, "halyard.core", sentence);
    return false;
}

} // namespace halyard
