#pragma once

#include "bench_result.h"

#include <halyard/core/object.h>
#include <halyard/net/stream_socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace echo {

/// One of the connections that are measured. It is made anew when it breaks, and when it has served long enough.
class BenchConnection : public halyard::Object {
  public:
    using Clock = std::chrono::steady_clock;

    BenchConnection(const BenchOptions& options, const std::string& message, BenchResult& result);

    /// Sends a message whose time counts from `since` on; before the connection stands it is kept.
    void send(Clock::time_point since);

    halyard::Signal<std::string> neverConnected{this}; ///< The first connecting has failed; the sentence why.

  private:
    void connect();
    void begin();
    void transmit(Clock::time_point since);
    void receive();
    void cameBack();
    void fail(const std::string& sentence);
    void again(std::chrono::milliseconds delay);
    bool isWornOut() const noexcept { return options_.perConnection != 0 && sentHere_ >= options_.perConnection; }

    const BenchOptions& options_;
    const std::string& message_;
    BenchResult& result_;
    std::unique_ptr<halyard::StreamSocket> socket_;
    std::deque<Clock::time_point> onTheWay_; ///< since when
    std::deque<Clock::time_point> kept_;     ///< for when there is a connection
    std::size_t place_ = 0;                  ///< in the message that comes back
    std::uint64_t sentHere_ = 0;
    bool stands_ = false;
};

} // namespace echo
