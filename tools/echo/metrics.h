#pragma once

#include <halyard/net/socket_types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace echo {

/// What one loop counts. It alone writes; whoever asks for the metrics reads, from another thread maybe.
struct alignas(64) LoopMetrics {
    using Number = std::atomic<std::uint64_t>;

    Number connections = 0;
    Number openConnections = 0;
    Number receivedBytes = 0;
    Number sentBytes = 0;
    Number queuedBytes = 0; ///< received, and not sent back yet
    Number refusedClients = 0;
    Number acceptErrors = 0;
    Number fullPauses = 0; ///< times that accepting paused because there were too many clients
    Number lagNanoseconds = 0;
    std::array<Number, static_cast<std::size_t>(halyard::SocketError::Unknown) + 1> errors{};

    void count(halyard::SocketError error) noexcept { add(errors.at(static_cast<std::size_t>(error))); }

    static void add(Number& number, std::uint64_t what = 1) noexcept {
        number.store(number.load(std::memory_order_relaxed) + what, std::memory_order_relaxed);
    }
    static void subtract(Number& number, std::uint64_t what = 1) noexcept { add(number, ~what + 1); }
};

/// The metrics of all loops.
class Metrics {
  public:
    explicit Metrics(std::size_t loops) : loops_(loops) {}

    LoopMetrics& of(std::size_t loop) { return loops_.at(loop); }
    std::uint64_t connections() const { return sum(&LoopMetrics::connections); }
    std::uint64_t sentBytes() const { return sum(&LoopMetrics::sentBytes); }

    /// In Prometheus' text format, version 0.0.4.
    std::string text() const;

  private:
    std::uint64_t sum(LoopMetrics::Number LoopMetrics::*number) const;

    std::deque<LoopMetrics> loops_;
};

} // namespace echo
