#include "bench_result.h"

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace echo {

namespace {

using Duration = LatencyHistogram::Duration;

constexpr std::array percentiles{std::pair{"50", 50.0}, std::pair{"90", 90.0}, std::pair{"99", 99.0},
                                 std::pair{"99.9", 99.9}, std::pair{"99.99", 99.99}};

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string readable(Duration time) {
    const auto value = static_cast<double>(time.count());
    if (value < 1e3)
        return fmt::format("{:.0f} ns", value);
    if (value < 1e6)
        return fmt::format("{:.1f} us", value / 1e3);
    if (value < 1e9)
        return fmt::format("{:.2f} ms", value / 1e6);
    return fmt::format("{:.2f} s", value / 1e9);
}

double rate(std::uint64_t count, std::chrono::nanoseconds time) {
    return time.count() != 0 ? static_cast<double>(count) / seconds(time) : 0;
}

/// A bar for each doubling of the latency.
std::string histogram(const LatencyHistogram& latencies) {
    constexpr double width = 50;
    struct Row {
        Duration upTo;
        std::uint64_t count;
    };
    std::vector<Row> rows;
    std::uint64_t most = 1;
    Duration from(0);
    for (Duration upTo(1024); from < latencies.max(); from = upTo, upTo *= 2) {
        const std::uint64_t count = latencies.between(from, upTo - Duration(1));
        if (count != 0 || !rows.empty())
            rows.push_back({upTo, count});
        most = std::max(most, count);
    }
    std::string text;
    for (const Row& each : rows) {
        const double part = static_cast<double>(each.count) / static_cast<double>(most);
        const auto bar = static_cast<std::size_t>(part * width + (each.count != 0 ? 0.999 : 0));
        text += fmt::format("  <{:>9} {:>10} {}\n", readable(each.upTo), each.count, std::string(bar, '#'));
    }
    return text;
}

} // namespace

std::string BenchResult::progress() const {
    return fmt::format("{:.0f} s: {} messages, {:.0f} a second, median {}, 99 % {}, {} failed", seconds(time),
                       latencies.count(), rate(latencies.count(), time), readable(latencies.percentile(50)),
                       readable(latencies.percentile(99)), failed);
}

std::string BenchResult::text() const {
    std::string page = fmt::format("{}{} messages in {:.2f} s, {:.0f} a second; {} connections, {} failed messages\n",
                                   interrupted ? "interrupted: " : "", latencies.count(), seconds(time),
                                   rate(latencies.count(), time), connects, failed);
    for (const auto& [sentence, count] : errors)
        page += fmt::format("  {} times: {}\n", count, sentence);
    if (latencies.count() == 0)
        return page;
    page += fmt::format("latency: mean {}, least {}, most {}\n", readable(latencies.mean()), readable(latencies.min()),
                        readable(latencies.max()));
    for (const auto& [name, hundredth] : percentiles)
        page += fmt::format("  {:>6} % {:>9}\n", name, readable(latencies.percentile(hundredth)));
    return page + histogram(latencies);
}

std::string BenchResult::json(const BenchOptions& options) const {
    nlohmann::ordered_json result{
        {"address", options.peer.text},
        {"connections", options.connections},
        {"size", options.size},
        {"depth", options.depth},
        {"rate", options.rate},
        {"interrupted", interrupted},
        {"seconds", seconds(time)},
        {"messages", latencies.count()},
        {"failed", failed},
        {"connects", connects},
        {"messages_per_second", rate(latencies.count(), time)},
        {"latency_seconds",
         {{"mean", seconds(latencies.mean())}, {"min", seconds(latencies.min())}, {"max", seconds(latencies.max())}}},
    };
    for (const auto& [name, hundredth] : percentiles)
        result["latency_seconds"][std::string("p") + name] = seconds(latencies.percentile(hundredth));
    result["errors"] = errors;
    return result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

} // namespace echo
