#include "socket_engine.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>

namespace halyard {

int SocketEngine::observe(std::uint32_t wanted) {
    if (isWatching()) {
        setInterest(wanted);
        return 0;
    }
    return wanted == readiness::None ? 0 : watch(descriptor(), wanted);
}

void SocketEngine::closeOverInput() noexcept {
    std::array<std::byte, 16 * 1024> unwanted;
    // A peer that never stops sending is not waited for.
    for (int rounds = 0; rounds != 16 && receive(unwanted) > 0; ++rounds) {
    }
    close(false);
}

std::uint32_t SocketEngine::wait(std::uint32_t wanted, std::optional<Time> until, int* error) {
    pollfd look{};
    look.fd = descriptor();
    if ((wanted & readiness::Readable) != 0)
        look.events |= POLLIN;
    if ((wanted & readiness::Writable) != 0)
        look.events |= POLLOUT;
    *error = 0;
    for (;;) {
        timespec rest{};
        if (until) {
            const auto left =
                std::max(*until - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration(0));
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
            rest.tv_sec = seconds.count();
            rest.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
        }
        const int ready = ::ppoll(&look, 1, until ? &rest : nullptr, nullptr);
        if (ready > 0)
            break;
        if (ready == 0)
            return readiness::None;
        if (errno != EINTR) { // the deadline stays where it is: EINTR costs no time
            *error = errno;
            return readiness::None;
        }
    }
    std::uint32_t what = readiness::None;
    if ((look.revents & POLLIN) != 0)
        what |= readiness::Readable;
    if ((look.revents & POLLOUT) != 0)
        what |= readiness::Writable;
    if ((look.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        what |= readiness::Error;
    return what;
}

} // namespace halyard
