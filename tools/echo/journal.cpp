#include "journal.h"

#include "standard_streams.h"

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <string_view>

namespace echo {

namespace {

using halyard::LogLevel;

std::string count(std::uint64_t number, std::string_view what) {
    std::string text = std::to_string(number);
    text.append(" ").append(what);
    if (number != 1)
        text.push_back('s');
    return text;
}

/// As a JSON string; what is no UTF-8 in it is replaced.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The levels of syslog(3), before a line: sd-daemon(3).
std::string_view priority(LogLevel level) {
    switch (level) {
    case LogLevel::Trace:
    case LogLevel::Debug:
        return "<7>";
    case LogLevel::Info:
        return "<6>";
    case LogLevel::Warning:
        return "<4>";
    case LogLevel::Error:
    case LogLevel::Critical:
    case LogLevel::Off:
        break;
    }
    return "<3>";
}

} // namespace

Journal::Journal(LogFormat format, LogLevel level) : format_(format), level_(level) {
    if (format == LogFormat::Lines)
        return;
    logger_ = std::make_shared<spdlog::logger>("halyard-echo", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger_->set_level(spdlog::level::trace); // tells() has asked
    constexpr const char* time = "%Y-%m-%dT%H:%M:%S.%e%z";
    if (format == LogFormat::Text)
        logger_->set_pattern(std::string(time) + " %l %v");
    else if (format == LogFormat::Json)
        logger_->set_pattern(std::string(R"({"time":")") + time + R"(","level":"%l","message":%v})");
    else
        logger_->set_pattern("%v");
}

void Journal::listening(const std::string& where) {
    tell(LogLevel::Info, "listening on " + where,
         format_ == LogFormat::Json ? ",\"address\":" + quoted(where) : std::string());
}

void Journal::connected(const std::string& peer) {
    if (tells(LogLevel::Debug))
        tell(LogLevel::Debug, peer + " connected",
             format_ == LogFormat::Json ? ",\"peer\":" + quoted(peer) : std::string());
}

void Journal::ended(const std::string& how, std::uint64_t bytes) {
    if (tells(LogLevel::Debug))
        tell(LogLevel::Debug, how + " (" + count(bytes, "byte") + " echoed)", ",\"bytes\":" + std::to_string(bytes));
}

void Journal::stopped(std::uint64_t connections, std::uint64_t bytes) {
    tell(LogLevel::Info, "stopped: " + count(connections, "connection") + ", " + count(bytes, "byte"),
         ",\"connections\":" + std::to_string(connections) + ",\"bytes\":" + std::to_string(bytes));
}

void Journal::note(const std::string& sentence) { tell(LogLevel::Info, sentence); }

void Journal::warn(const std::string& sentence) { tell(LogLevel::Warning, sentence); }

void Journal::tell(LogLevel level, const std::string& sentence, const std::string& fields) {
    if (!tells(level))
        return;
    if (format_ == LogFormat::Lines) {
        if (level >= LogLevel::Warning)
            complain(sentence);
        else
            writeOut(sentence + '\n');
        return;
    }
    std::string line = sentence;
    if (format_ == LogFormat::Json)
        line = quoted(sentence) + fields;
    else if (format_ == LogFormat::Journald)
        line.insert(0, priority(level));
    logger_->log(static_cast<spdlog::level::level_enum>(level), spdlog::string_view_t(line));
}

} // namespace echo
