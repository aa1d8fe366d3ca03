// soak MINUTES [SEED [PERCENT]]: a mixed load on everything for so long, and whether anything was lost or kept.
#include "ledger.h"
#include "load.h"
#include "resources.h"
#include "service.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/core/unix_signal.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <malloc.h>
#include <unistd.h>

namespace {

using namespace soak;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kibibyte = 1024;
/// What the allocator may have given out more at the end than after the warm-up: each of the three threads that stay
/// keeps four segments of 256 KiB for the next bytes, and 64 KiB of each of three kinds of objects, once it has needed
/// as many at a time; 64 more are for the cells of signals. Five bytes lost a visit would be more in half an hour.
constexpr std::size_t allocatedTolerance = std::size_t{3} * (4 * 256 + (3 + 1) * 64) * kibibyte;
/// What may have come in the second half of the time, however little did in the first: two segments.
constexpr std::size_t plateauTolerance = std::size_t{2} * 256 * kibibyte;
constexpr std::size_t residentTolerance = 8 * kibibyte * kibibyte;

std::uint64_t numberOr(std::uint64_t otherwise, const char* text) {
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Soak {
  public:
    Soak(std::uint64_t seed, double share) : load_(service_, ledger_, seed, share) {
        halyard::setLogSink([this](halyard::LogLevel, std::string_view area, std::string_view text) {
            ledger_.wrong("it logged: " + std::string(area) + ": " + std::string(text));
        });
        interrupt_.received.connect([this] { interrupted_ = true; });
    }
    ~Soak() { halyard::setLogSink({}); }

    /// Whether all was well.
    bool run(Seconds length) {
        if (!service_.failure().empty()) {
            std::printf("soak: %s\n", service_.failure().c_str());
            return false;
        }
        began_ = Clock::now();
        pump(100ms, [] { return false; }); // the pool's threads make their loops
        descriptorsAtRest_ = Resources::now().descriptors;
        const auto part = length / 10;
        warmUp(part);
        const Resources before = Resources::now();
        show("warm", before);
        const Resources halfway = workOn(1, 5, part);
        const Resources after = workOn(5, 10, part);
        judge(before, halfway, after);
        conclude();
        return ledger_.isClean();
    }

  private:
    template <class Condition>
    static bool pump(Seconds atMost, Condition until) {
        const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(atMost);
        while (!until()) {
            if (Clock::now() >= end)
                return false;
            halyard::EventLoop::current()->processEvents(20ms);
        }
        return true;
    }

    /// The tenths of the time from this one to before that one; what is held at rest after them.
    Resources workOn(int first, int last, Seconds tenth) {
        for (int i = first; i != last && !interrupted_; ++i) {
            work(tenth);
            show("busy", Resources::now());
        }
        comeToRest();
        const Resources its = Resources::now();
        show("at rest", its);
        return its;
    }

    void work(Seconds length) {
        load_.start();
        pump(length, [this] { return interrupted_; });
        load_.stop();
    }

    /// Everything that is kept for the next time is there afterwards.
    void warmUp(Seconds length) {
        constexpr int floods = 3;
        for (int i = 0; i != floods; ++i) {
            load_.flood();
            comeToRest();
        }
        work(length);
        comeToRest();
    }

    /// Everybody may finish; who closed may linger for its closing timeout.
    void comeToRest() {
        constexpr auto patience = 60s;
        if (!pump(patience, [this] { return load_.alive() == 0 && service_.isIdle(); }))
            ledger_.wrong("after a minute there were still " + std::to_string(load_.alive()) + " visits and " +
                          std::to_string(ledger_.sessions) + " sessions");
        pump(patience, [this] { return Resources::now().descriptors <= descriptorsAtRest_; });
#ifdef __GLIBC__
        ::malloc_trim(0); // what is free is not what is held
#endif
    }

    void show(const char* what, const Resources& its) const {
        std::printf(
            "soak: %6.0f s  %-8s %9llu visits  %4zu alive  %4zu descriptors  %7zu KiB allocated  %7zu KiB resident\n",
            Seconds(Clock::now() - began_).count(), what, static_cast<unsigned long long>(load_.visits()),
            load_.alive(), its.descriptors, its.allocated / kibibyte, its.resident / kibibyte);
        std::fflush(stdout);
    }

    /// A pool fills once, what is lost is lost as fast in the second half of the time as in the first.
    void judge(const Resources& before, const Resources& halfway, const Resources& after) {
        if (after.descriptors != before.descriptors)
            ledger_.wrong("descriptors: " + std::to_string(before.descriptors) + " after the warm-up, " +
                          std::to_string(after.descriptors) + " at the end");
#ifndef SOAK_SANITIZED // whose allocator keeps what was freed
        if (after.allocated > before.allocated + allocatedTolerance)
            ledger_.wrong("allocated: " + std::to_string(before.allocated) + " bytes after the warm-up, " +
                          std::to_string(after.allocated) + " at the end");
        const auto growth = [](const Resources& from, const Resources& to) {
            return to.allocated - std::min(from.allocated, to.allocated);
        };
        if (growth(halfway, after) > std::max(plateauTolerance, growth(before, halfway) / 2))
            ledger_.wrong("allocated: it goes on growing, by " + std::to_string(growth(before, halfway)) +
                          " bytes in the first half after the warm-up and " + std::to_string(growth(halfway, after)) +
                          " in the second");
        if (after.resident > before.resident + residentTolerance)
            ledger_.wrong("resident: " + std::to_string(before.resident) + " bytes after the warm-up, " +
                          std::to_string(after.resident) + " at the end");
#endif
    }

    void conclude() const {
        for (const auto& [what, count] : ledger_.counts())
            std::printf("soak: %10llu %s\n", static_cast<unsigned long long>(count), what.c_str());
        const auto line = [](std::uint64_t number, const char* what) {
            std::printf("soak: %10llu %s\n", static_cast<unsigned long long>(number), what);
        };
        line(load_.peak(), "visits at a time, at most");
        line(ledger_.bytesServed, "bytes received by servers, each the right one");
        line(ledger_.bytesReturned, "bytes got back by clients, each the right one");
        line(ledger_.calls, "queued calls there and back, in their order");
        line(ledger_.timeouts, "timers that went off, once and not early");
        const Seconds used = processorTime();
        std::printf("soak: %10.2f of a processor\n", used / Seconds(Clock::now() - began_));
        for (const std::string& each : ledger_.complaints())
            std::printf("soak: WRONG: %s\n", each.c_str());
        std::printf("soak: %s\n", ledger_.isClean() ? "nothing lost, nothing kept" : "failed");
    }

    Ledger ledger_;
    Service service_{ledger_};
    Load load_;
    halyard::UnixSignal interrupt_{SIGINT};
    Clock::time_point began_;
    std::size_t descriptorsAtRest_ = 0; ///< at most
    bool interrupted_ = false;
};

/// What a thread keeps of freed memory for itself would count as given out.
void keepNoFreedMemory(char** argv) {
#ifdef __GLIBC__
    constexpr const char* name = "GLIBC_TUNABLES";
    if (std::getenv(name) != nullptr)
        return;
    ::setenv(name, "glibc.malloc.tcache_count=0", 1);
    ::execv("/proc/self/exe", argv);
#endif
}

} // namespace

int main(int argc, char** argv) {
    keepNoFreedMemory(argv);
    const double minutes = argc > 1 ? std::strtod(argv[1], nullptr) : 0;
    const std::uint64_t seed =
        numberOr(static_cast<std::uint64_t>(Clock::now().time_since_epoch().count()), argc > 2 ? argv[2] : nullptr);
    const std::uint64_t percent = numberOr(25, argc > 3 ? argv[3] : nullptr);
    if (minutes <= 0 || percent == 0) {
        std::fputs("usage: soak MINUTES [SEED [PERCENT of a processor]]\n", stderr);
        return 2;
    }
    std::printf("soak: %g minutes, seed %llu, %llu %% of a processor\n", minutes, static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(percent));
    const halyard::EventLoop loop;
    Soak soak(seed, static_cast<double>(percent) / 100);
    return soak.run(Seconds(minutes * 60)) ? 0 : 1;
}
