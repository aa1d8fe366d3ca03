#include <halyard/core/log.h>

#include <halyard/core/clock.h>
#include <halyard/signals/signal.h>

#include <logged.h>

#include <doctest/doctest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_enum_v<LogLevel> && !std::is_convertible_v<LogLevel, int>);
static_assert(LogLevel::Trace < LogLevel::Debug && LogLevel::Debug < LogLevel::Info);
static_assert(LogLevel::Info < LogLevel::Warning && LogLevel::Warning < LogLevel::Error);
static_assert(LogLevel::Error < LogLevel::Critical && LogLevel::Critical < LogLevel::Off);

constexpr LogLevel allLevels[] = {LogLevel::Trace,   LogLevel::Debug, LogLevel::Info,
                                  LogLevel::Warning, LogLevel::Error, LogLevel::Critical};

/// Sets the level for as long as it lives.
struct Level {
    explicit Level(LogLevel level) { setLogLevel(level); }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { setLogLevel(LogLevel::Warning); }
};

void logAll() {
    for (const LogLevel each : allLevels)
        logMessage(each, "halyard.core", "sentence");
}

} // namespace

TEST_CASE("the host's sink gets the level, the area and the sentence as they are") {
    Logged logged;
    logMessage(LogLevel::Error, "halyard.net", "no {} is %s formatted");
    const auto lines = logged.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].level == LogLevel::Error);
    CHECK(lines[0].area == "halyard.net");
    CHECK(lines[0].text == "no {} is %s formatted");
}

TEST_CASE("the log is quiet below a warning until the host says otherwise") {
    Logged logged;
    logAll();
    auto lines = logged.lines();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].level == LogLevel::Warning);
    CHECK(lines[2].level == LogLevel::Critical);
    {
        const Level level(LogLevel::Trace);
        logAll();
        lines = logged.lines();
        REQUIRE(lines.size() == 6);
        for (std::size_t i = 0; i != lines.size(); ++i)
            CHECK(lines[i].level == allLevels[i]);
    }
    {
        const Level level(LogLevel::Off);
        logAll();
        CHECK(logged.lines().empty());
    }
    logAll();
    CHECK(logged.lines().size() == 3);
}

TEST_CASE("what the signals say of wrong calls comes through the same sink") {
    Logged logged;
    Signal<> s;
    CHECK_FALSE(s.connect(static_cast<Tracked*>(nullptr), [] {}).isConnected());
    const auto lines = logged.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].area == "halyard.signals");
    CHECK(lines[0].level == LogLevel::Warning);
    CHECK(lines[0].text.find("receiver") != std::string::npos);
}

TEST_CASE("a sink that is replaced is called no more") {
    int first = 0;
    int second = 0;
    setLogSink([&](LogLevel, std::string_view, std::string_view) { ++first; });
    logMessage(LogLevel::Error, "halyard.core", "one");
    setLogSink([&](LogLevel, std::string_view, std::string_view) { ++second; });
    logMessage(LogLevel::Error, "halyard.core", "two");
    setLogSink({});
    CHECK(first == 1);
    CHECK(second == 1);
}

TEST_CASE("all threads log one at a time") {
    std::atomic<int> inside = 0;
    int lines = 0;
    bool alone = true;
    setLogSink([&](LogLevel, std::string_view, std::string_view) {
        alone = alone && ++inside == 1;
        ++lines;
        --inside;
    });
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t)
        threads.emplace_back([] {
            for (int i = 0; i != 1000; ++i)
                logMessage(LogLevel::Warning, "halyard.core", "sentence");
        });
    for (std::thread& each : threads)
        each.join();
    setLogSink({});
    CHECK(alone);
    CHECK(lines == 4000);
}

TEST_CASE("spdlog's default logger, registry and level stay the host's") {
    const auto defaultLogger = spdlog::default_logger();
    const auto level = spdlog::get_level();
    Logged logged;
    const Level quiet(LogLevel::Trace);
    logMessage(LogLevel::Error, "halyard.core", "sentence");
    CHECK(spdlog::default_logger() == defaultLogger);
    CHECK(spdlog::get_level() == level);
    CHECK(spdlog::get("halyard.core") == nullptr);
    CHECK(spdlog::get("halyard.net") == nullptr);
    spdlog::set_level(spdlog::level::off);
    logMessage(LogLevel::Error, "halyard.core", "still heard");
    spdlog::set_level(level);
    CHECK(logged.lines().size() == 2);
}

TEST_CASE("a throttle lets one line through and then none for a while, and says how many were held back") {
    ManualClock clock;
    LogThrottle throttle(1s);
    CHECK(throttle.pass() == 0U);
    for (int i = 0; i != 41; ++i)
        CHECK_FALSE(throttle.pass());
    clock.skip(999ms);
    CHECK_FALSE(throttle.pass());
    clock.skip(1ms);
    CHECK(throttle.pass() == 42U);
    CHECK_FALSE(throttle.pass());
    clock.skip(2s);
    CHECK(throttle.pass() == 1U);
    clock.skip(2s);
    CHECK(throttle.pass() == 0U);
    CHECK(LogThrottle::text(0).empty());
    CHECK(LogThrottle::text(41) == " (and 41 more since the last such line)");
}
