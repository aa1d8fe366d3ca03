#pragma once

#include "plain_socket.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// One client of an echo server: sends messages, at most so many of them ahead of their echo, and checks that
/// every byte comes back in its place.
class LoadConnection {
  public:
    using Clock = std::chrono::steady_clock;

    /// Connects, and joins the epoll set with `tag`. Connections come from many addresses of 127.0.0.0/8,
    /// chosen by `number`, so that those in TIME_WAIT do not use up the ports.
    LoadConnection(std::uint16_t port, std::uint64_t number, std::size_t messageSize, std::size_t depth, int poll,
                   std::uint64_t tag);

    /// Sends so many messages more, as their turn comes.
    void send(std::uint64_t messages);

    /// Says that nothing more will come. The server closes then.
    void finish();

    /// Takes what the epoll set tells. How long each message took that came back whole goes to `latencies`,
    /// in microseconds.
    void onReady(std::vector<float>& latencies);

    bool isEchoed() const noexcept { return received_ == wanted_; } ///< All of what it was to send came back.
    bool isClosed() const noexcept { return closed_; }              ///< By the server, after finish().
    Clock::time_point began() const noexcept { return began_; }

  private:
    void transmit();
    void receive(std::vector<float>& latencies);
    void change(int operation);

    Clock::time_point began_ = Clock::now();
    Descriptor socket_;
    std::size_t size_;
    std::size_t depth_;
    int poll_;
    std::uint64_t tag_;
    std::uint64_t wanted_ = 0; ///< bytes to send, and to get back
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t begun_ = 0;                  ///< messages of which something was sent
    std::vector<Clock::time_point> departure_; ///< of the messages that are under way, each at its number modulo depth
    bool blocked_ = false;                     ///< the kernel took less than it was offered
    bool finished_ = false;
    bool closed_ = false;
};

} // namespace bench
