#pragma once

#include <plain_socket.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <utility>

#include <sys/socket.h>
#include <sys/time.h>

namespace halyard::test {

/// A signal that interrupts system calls, again and again, as long as it lives. At the fifth one a client connects,
/// where there is a port: connect(2) is safe there (signal-safety(7)). The handler stays: the last signal may be late.
class SignalStorm {
  public:
    explicit SignalStorm(std::chrono::microseconds every, std::uint16_t port = 0) {
        name = PlainSocket::loopback(port);
        client = port != 0 ? ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
        ticks = 0;
        struct sigaction quiet {};
        quiet.sa_handler = [](int) {
            if (++ticks == 5 && client >= 0 &&
                ::connect(client, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
                ticks = 0; // as soon as it can
        };
        ::sigaction(SIGALRM, &quiet, nullptr);
        const timeval interval{0, every.count()};
        const itimerval often{interval, interval};
        ::setitimer(ITIMER_REAL, &often, nullptr);
    }
    SignalStorm(const SignalStorm&) = delete;
    SignalStorm& operator=(const SignalStorm&) = delete;
    ~SignalStorm() {
        const itimerval never{};
        ::setitimer(ITIMER_REAL, &never, nullptr);
        PlainSocket(std::exchange(client, -1)).close();
    }

    static inline std::atomic<int> ticks = 0; ///< How many have come.

  private:
    static inline int client = -1;
    static inline sockaddr_in name{};
};

} // namespace halyard::test
