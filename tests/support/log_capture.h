#pragma once

#include <halyard/core/log.h>

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace halyard::test {

/// Keeps the library's log lines instead of printing them, as long as it exists.
class LogCapture {
  public:
    LogCapture() {
        setLogSink([this](LogLevel, std::string_view, std::string_view text) {
            const std::lock_guard lock(mutex_);
            lines_.emplace_back(text);
        });
    }
    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;
    ~LogCapture() { setLogSink({}); }

    std::vector<std::string> lines() const {
        const std::lock_guard lock(mutex_);
        return lines_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

} // namespace halyard::test
