#include <halyard/core/log.h>

#include <halyard/core/clock.h>
#include <halyard/signals/link.h>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace halyard {

namespace {

spdlog::level::level_enum toSpdlog(LogLevel level) { return static_cast<spdlog::level::level_enum>(level); }
static_assert(static_cast<int>(LogLevel::Trace) == SPDLOG_LEVEL_TRACE &&
              static_cast<int>(LogLevel::Warning) == SPDLOG_LEVEL_WARN &&
              static_cast<int>(LogLevel::Off) == SPDLOG_LEVEL_OFF);

/// Standard error, until the host gives something better.
class HostSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    void setHost(LogSink host) {
        const std::lock_guard lock(mutex_);
        host_ = std::move(host);
    }

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (host_)
            host_(static_cast<LogLevel>(message.level), {message.logger_name.data(), message.logger_name.size()},
                  {message.payload.data(), message.payload.size()});
        else
            standardError_.log(message);
    }
    void flush_() override { standardError_.flush(); }

    LogSink host_;
    spdlog::sinks::stderr_sink_st standardError_;
};

/// Our own loggers, one an area: spdlog's registry, default logger and global level stay the host's.
class Loggers {
  public:
    static Loggers& instance() {
        static auto* const loggers = new Loggers; // outlives every static object that may still log
        return *loggers;
    }

    spdlog::logger& of(std::string_view area) {
        for (const auto& each : areas_)
            if (each->name() == area)
                return *each;
        return *areas_.front();
    }

    HostSink& sink() { return *sink_; }

    void setLevel(LogLevel level) {
        for (const auto& each : areas_)
            each->set_level(toSpdlog(level));
    }

  private:
    Loggers() { setLevel(LogLevel::Warning); }

    std::shared_ptr<HostSink> sink_ = std::make_shared<HostSink>();
    std::array<std::shared_ptr<spdlog::logger>, 3> areas_{
        std::make_shared<spdlog::logger>("halyard.core", sink_),
        std::make_shared<spdlog::logger>("halyard.net", sink_),
        std::make_shared<spdlog::logger>("halyard.signals", sink_),
    };
};

} // namespace

void setLogSink(LogSink sink) { Loggers::instance().sink().setHost(std::move(sink)); }

void setLogLevel(LogLevel level) { Loggers::instance().setLevel(level); }

void logMessage(LogLevel level, std::string_view area, std::string_view text) {
    Loggers::instance().of(area).log(toSpdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

std::optional<std::uint64_t> LogThrottle::pass() noexcept {
    const Ticks now = Clock::now().time_since_epoch().count();
    Ticks next = next_.load(std::memory_order_relaxed);
    const Ticks after = now + std::chrono::duration_cast<Clock::duration>(pause_).count();
    if (now >= next && next_.compare_exchange_strong(next, after, std::memory_order_relaxed))
        return heldBack_.exchange(0, std::memory_order_relaxed);
    heldBack_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
}

std::string LogThrottle::text(std::uint64_t heldBack) {
    return heldBack == 0 ? "" : " (and " + std::to_string(heldBack) + " more since the last such line)";
}

namespace {

// The signals know no logger: they hand their sentences over.
[[maybe_unused]] const bool signalsLogHere = [] {
    detail::setMisuseHandler([](const char* sentence) { logMessage(LogLevel::Warning, "halyard.signals", sentence); });
    return true;
}();

} // namespace

} // namespace halyard
