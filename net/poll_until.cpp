#include "poll_until.h"

#include <cerrno>

#include <poll.h>

namespace halyard {

int pollUntil(std::span<pollfd> looks, std::optional<Clock::time_point> until) noexcept {
    for (;;) {
        timespec rest{};
        if (until) {
            const std::chrono::nanoseconds left = WaitClock::left(*until);
            const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
            rest.tv_sec = seconds.count();
            rest.tv_nsec = (left - seconds).count();
        }
        const int ready = ::ppoll(looks.data(), looks.size(), until ? &rest : nullptr, nullptr);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return ready > 0 ? ready : -errno;
        if (ready == 0 && WaitClock::isOver(*until))
            return 0;
    }
}

} // namespace halyard
