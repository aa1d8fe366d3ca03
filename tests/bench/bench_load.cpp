// Loads an echo server at 127.0.0.1, and says in one line what it measured. It is on plain sockets and epoll
// alone.

#include "load_connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using bench::LoadConnection;
using Clock = LoadConnection::Clock;

constexpr char usage[] =
    R"(usage: bench_load pingpong --port P [--connections C] [--depth D] [--size N] [--messages TOTAL]
       bench_load churn    --port P [--total N] [--concurrency C]
       bench_load stream   --port P [--bytes B] [--connections C]
       bench_load hold     --port P [--connections C] [--at-once N]

pingpong  keeps D messages of N bytes under way on each of C connections, until TOTAL came back
churn     connects, has 64 bytes echoed and closes, N times, C at a time
stream    has B bytes echoed as fast as they go, 1 MiB of them under way on each connection
hold      opens C connections, N at a time, has 64 bytes echoed on each, says so, and keeps them until its input ends
)";

/// "--name value ...", each of them known by its default, and none of them 0.
class Options {
  public:
    Options(int argc, char** argv, const std::map<std::string_view, std::uint64_t>& defaults) : values_(defaults) {
        values_["--port"] = 0;
        for (int i = 2; i < argc; i += 2) {
            const auto known = values_.find(argv[i]);
            if (known == values_.end())
                throw std::invalid_argument(std::string("there is no option ") + argv[i]);
            const std::string_view text = i + 1 < argc ? argv[i + 1] : "";
            const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), known->second);
            if (error != std::errc{} || rest != text.data() + text.size())
                throw std::invalid_argument(std::string(argv[i]) + " needs a number");
        }
        for (const auto& [name, value] : values_)
            if (value == 0)
                throw std::invalid_argument(std::string(name) + " must be given, and not be 0");
    }

    std::uint64_t operator[](std::string_view name) const { return values_.at(name); }

  private:
    std::map<std::string_view, std::uint64_t> values_;
};

/// The connections, and the turn of the loop.
class Load {
  public:
    Load(std::uint64_t port, std::uint64_t size, std::uint64_t depth)
        : port_(static_cast<std::uint16_t>(port)), size_(size), depth_(depth) {}

    /// Opens so many connections, and has a first message echoed on each, which does not count. `atOnce` are less than
    /// a backlog holds.
    void connect(std::uint64_t connections, std::uint64_t atOnce = 1'000) {
        connections_.reserve(connections);
        while (connections_.size() != connections) {
            const std::size_t first = connections_.size();
            while (connections_.size() != std::min(first + atOnce, connections)) {
                connections_.push_back(open(connections_.size()));
                connections_.back()->send(1);
            }
            await(&LoadConnection::isEchoed, first);
        }
        latencies_.clear();
    }

    /// Shares `messages` among so many connections.
    void pingPong(std::uint64_t connections, std::uint64_t messages) {
        connect(connections);
        latencies_.reserve(messages);
        const Clock::time_point begin = Clock::now();
        for (std::uint64_t i = 0; i != connections; ++i)
            connections_[i]->send(messages / connections + (i < messages % connections ? 1U : 0U));
        await(&LoadConnection::isEchoed);
        seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();

        for (const auto& each : connections_)
            each->finish();
        await(&LoadConnection::isClosed);
    }

    /// Connects, has one message echoed and closes, until `total` have; what it takes from first to last is a
    /// latency.
    void churn(std::uint64_t total, std::uint64_t concurrency) {
        std::vector<float> unused;
        std::uint64_t opened = 0;
        const Clock::time_point begin = Clock::now();
        const auto openNext = [this, &opened](std::uint64_t slot) {
            connections_[slot] = open(slot, opened++);
            connections_[slot]->send(1);
        };
        connections_.resize(std::min(total, concurrency));
        for (std::uint64_t slot = 0; slot != connections_.size(); ++slot)
            openNext(slot);
        latencies_.reserve(total);
        while (latencies_.size() != total) {
            turn([&](std::uint64_t slot) {
                LoadConnection& connection = *connections_[slot];
                const bool wasEchoed = connection.isEchoed();
                connection.onReady(unused);
                if (connection.isClosed()) {
                    latencies_.push_back(
                        std::chrono::duration<float, std::micro>(Clock::now() - connection.began()).count());
                    connections_[slot].reset();
                    if (opened != total)
                        openNext(slot);
                } else if (connection.isEchoed() && !wasEchoed) {
                    connection.finish();
                }
            });
        }
        seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
    }

    void hold() {
        std::printf("connections=%zu\n", connections_.size());
        std::fflush(stdout);
        while (std::getchar() != EOF) {
        }
    }

    void report() {
        const auto count = static_cast<double>(latencies_.size());
        std::printf("messages=%zu seconds=%.6f per_second=%.1f p50_us=%.1f p99_us=%.1f p999_us=%.1f\n",
                    latencies_.size(), seconds_, count / seconds_, percentile(0.5), percentile(0.99),
                    percentile(0.999));
    }

  private:
    std::unique_ptr<LoadConnection> open(std::uint64_t slot, std::uint64_t number) {
        return std::make_unique<LoadConnection>(port_, number, size_, depth_, poll_.get(), slot);
    }
    std::unique_ptr<LoadConnection> open(std::uint64_t slot) { return open(slot, slot); }

    /// Until it is true of all connections, as it is of those before the `first`.
    void await(bool (LoadConnection::*isSo)() const noexcept, std::size_t first = 0) {
        const auto still = [isSo](const auto& each) { return !std::invoke(isSo, *each); };
        auto left = std::count_if(connections_.begin() + static_cast<std::ptrdiff_t>(first), connections_.end(), still);
        while (left != 0) {
            turn([&](std::uint64_t slot) {
                LoadConnection& connection = *connections_[slot];
                const bool before = std::invoke(isSo, connection);
                connection.onReady(latencies_);
                if (!before && std::invoke(isSo, connection))
                    --left;
            });
        }
    }

    template <class OnReady>
    void turn(OnReady onReady) {
        constexpr int patience = 60'000; // msec; a server may run under Valgrind
        const int count = ::epoll_wait(poll_.get(), events_.data(), static_cast<int>(events_.size()), patience);
        if (count < 0 && errno != EINTR)
            bench::fail("epoll_wait");
        if (count == 0)
            throw std::runtime_error("the server has been silent for a minute");
        for (int i = 0; i < count; ++i)
            onReady(events_[static_cast<std::size_t>(i)].data.u64);
    }

    double percentile(double share) {
        const auto place = static_cast<std::ptrdiff_t>(static_cast<double>(latencies_.size() - 1) * share);
        std::nth_element(latencies_.begin(), latencies_.begin() + place, latencies_.end());
        return static_cast<double>(latencies_[static_cast<std::size_t>(place)]);
    }

    std::uint16_t port_;
    std::size_t size_;
    std::size_t depth_;
    bench::Descriptor poll_{bench::checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    std::array<epoll_event, 1024> events_;
    std::vector<std::unique_ptr<LoadConnection>> connections_;
    std::vector<float> latencies_;
    double seconds_ = 0;
};

void run(std::string_view mode, int argc, char** argv) {
    if (mode == "pingpong") {
        const Options options(argc, argv,
                              {{"--connections", 1}, {"--depth", 1}, {"--size", 64}, {"--messages", 10'000}});
        Load load(options["--port"], options["--size"], options["--depth"]);
        load.pingPong(options["--connections"], options["--messages"]);
        load.report();
    } else if (mode == "churn") {
        const Options options(argc, argv, {{"--total", 1'000}, {"--concurrency", 16}});
        Load load(options["--port"], 64, 1);
        load.churn(options["--total"], options["--concurrency"]);
        load.report();
    } else if (mode == "stream") {
        constexpr std::uint64_t chunk = 64 * 1024;
        const Options options(argc, argv, {{"--bytes", 1 << 28}, {"--connections", 1}});
        Load load(options["--port"], chunk, 16);
        load.pingPong(options["--connections"], (options["--bytes"] + chunk - 1) / chunk);
        load.report();
    } else if (mode == "hold") {
        const Options options(argc, argv, {{"--connections", 1'000}, {"--at-once", 1'000}});
        Load load(options["--port"], 64, 1);
        load.connect(options["--connections"], options["--at-once"]);
        load.hold();
    } else {
        throw std::invalid_argument("there is no mode '" + std::string(mode) + "'");
    }
}

} // namespace

int main(int argc, char** argv) {
    try {
        bench::raiseDescriptorLimit();
        run(argc > 1 ? argv[1] : "", argc, argv);
        return 0;
    } catch (const std::invalid_argument& error) {
        std::fprintf(stderr, "bench_load: %s\n\n%s", error.what(), usage);
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_load: %s\n", error.what());
        return 1;
    }
}
