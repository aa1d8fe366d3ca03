#pragma once

#include <halyard/core/log.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace halyard::test {

/// Collects what the library logs while it lives, instead of having it printed.
class Logged {
  public:
    struct Line {
        LogLevel level;
        std::string area;
        std::string text;
    };

    Logged() {
        setLogSink([this](LogLevel level, std::string_view area, std::string_view text) {
            const std::lock_guard lock(mutex_);
            lines_.push_back({level, std::string(area), std::string(text)});
        });
    }
    Logged(const Logged&) = delete;
    Logged& operator=(const Logged&) = delete;
    ~Logged() { setLogSink({}); }

    /// The lines so far; reading them forgets them.
    std::vector<Line> lines() {
        const std::lock_guard lock(mutex_);
        return std::exchange(lines_, {});
    }

    /// How many lines there are, all of which have this in their text. They are forgotten.
    std::size_t linesWith(std::string_view part) {
        const std::vector<Line> all = lines();
        std::size_t count = 0;
        for (const Line& each : all)
            count += each.text.find(part) != std::string::npos ? 1U : 0U;
        return count == all.size() ? count : all.size() + 1000;
    }

  private:
    std::mutex mutex_;
    std::vector<Line> lines_;
};

} // namespace halyard::test
