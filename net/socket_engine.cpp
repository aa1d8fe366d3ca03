#include "socket_engine.h"

#include "poll_until.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/ioctl.h>
#ifdef __linux__
#include <linux/sockios.h>
#endif

namespace halyard {

int SocketEngine::observe(std::uint32_t wanted) {
    if (isWatching())
        return setInterest(wanted);
    return wanted == readiness::None ? 0 : watchAsItIs(descriptor(), wanted);
}

std::ptrdiff_t SocketEngine::receiveInto(int) noexcept { return -EOPNOTSUPP; }

std::ptrdiff_t SocketEngine::sendFrom(int, std::size_t) noexcept { return -EOPNOTSUPP; }

std::size_t SocketEngine::unreceived() const noexcept {
    int bytes = 0;
    return ::ioctl(descriptor(), FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

std::size_t SocketEngine::untaken() const noexcept {
#ifdef SIOCOUTQ
    int bytes = 0;
    return ::ioctl(descriptor(), SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
#else
    return 0;
#endif
}

/// What receiving said last; positive where there may be more.
std::ptrdiff_t SocketEngine::discardInput(bool& found) noexcept {
    std::array<std::byte, 16 * 1024> unwanted;
    std::ptrdiff_t received = 0;
    // Others have their turn, however much a peer sends.
    for (int rounds = 0; rounds != 16 && (received = receive(unwanted)) > 0; ++rounds)
        found = true;
    return received;
}

bool SocketEngine::closeOverInput() noexcept {
    bool found = false;
    const std::ptrdiff_t last = discardInput(found);
    if (found && (last > 0 || last == -EAGAIN)) {
        shutdownSend();
        return false;
    }
    close(false);
    return true;
}

bool SocketEngine::hasHeardOut() noexcept {
    bool found = false;
    const std::ptrdiff_t last = discardInput(found);
    return last <= 0 && last != -EAGAIN;
}

std::uint32_t SocketEngine::wait(std::uint32_t wanted, std::optional<Time> until, int* error) {
    *error = 0;
    pollfd look{};
    look.fd = descriptor();
    if (look.fd < 0)
        return readiness::Writable; // it has not begun yet: the client has to do that
    if (wanted == readiness::None)
        look.fd = -1; // poll(2) would tell of errors all the same, over and over
    if ((wanted & readiness::Readable) != 0)
        look.events |= POLLIN;
    if ((wanted & readiness::Writable) != 0)
        look.events |= POLLOUT;
    const int ready = pollUntil({&look, 1}, until);
    *error = std::max(-ready, 0);
    if (ready <= 0)
        return readiness::None;
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
