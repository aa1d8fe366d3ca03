#pragma once

#include <halyard/signals/export.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
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

/// For lines that a peer can cause at will: one is written, and the next not before a while, so that a flood of
/// connections does not fill a disk.
///
///     static LogThrottle throttle;
///     if (const auto heldBack = throttle.pass())
///         logMessage(LogLevel::Warning, "halyard.net", "a client is turned away" + LogThrottle::text(*heldBack));
///
/// Thread-safe.
/// @since 0.1
class HALYARD_API LogThrottle {
  public:
    /// One line in so much time.
    explicit LogThrottle(std::chrono::milliseconds pause = std::chrono::seconds(10)) noexcept : pause_(pause) {}

    /// Whether a line may be written now: how many were held back since the one before; nothing where it is held back.
    std::optional<std::uint64_t> pass() noexcept;

    /// "" for none, else " (and 41 more since the last such line)".
    static std::string text(std::uint64_t heldBack);

  private:
    using Ticks = std::chrono::steady_clock::rep;

    const std::chrono::milliseconds pause_;
    std::atomic<Ticks> next_ = 0; ///< the time of the next line
    std::atomic<std::uint64_t> heldBack_ = 0;
};

} // namespace halyard
