#pragma once

#include <sys/socket.h>
#include <unistd.h>

namespace halyard {

/// Closes a connection that nobody has begun to use, so that its peer hears of it at once and the kernel keeps nothing
/// of it: no TIME_WAIT for each client of a flood.
inline void resetConnection(int descriptor) noexcept {
    const linger atOnce{1, 0}; // socket(7)
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &atOnce, sizeof atOnce);
    ::close(descriptor);
}

} // namespace halyard
