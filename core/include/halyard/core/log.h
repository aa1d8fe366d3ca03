#pragma once

#include <halyard/signals/export.h>

#include <functional>
#include <string_view>

namespace halyard {

/// How much a sentence matters; as a threshold Off lets nothing through.
enum class LogLevel { Trace, Debug, Info, Warning, Error, Critical, Off };

/// What receives the library's log lines: how bad, which area ("halyard.core", "halyard.net"), and the sentence.
using LogSink = std::function<void(LogLevel level, std::string_view area, std::string_view text)>;

/// Hands the library's log lines to the host program instead of to standard error. An empty sink takes that back.
/// The sink is called by whichever thread logs, one at a time, and must not log itself. Thread-safe.
///
///     halyard::setLogSink([](auto level, auto area, auto text) { mine.write(level, area, text); });
HALYARD_API void setLogSink(LogSink sink);

/// Nothing below `level` is logged; LogLevel::Warning until this is called. Thread-safe.
HALYARD_API void setLogLevel(LogLevel level);

/// Writes a line into an area's log: what the library's own areas and engines of others use. Thread-safe.
HALYARD_API void logMessage(LogLevel level, std::string_view area, std::string_view text);

} // namespace halyard
