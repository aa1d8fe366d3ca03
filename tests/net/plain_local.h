#pragma once

#include <plain_socket.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>

#include <sys/un.h>

namespace halyard::test {

inline sockaddr_un localAddress(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    return address;
}

/// A socket of the system's that is bound to a path.
inline PlainSocket boundTo(const std::string& path, int type = SOCK_STREAM) {
    PlainSocket socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    const sockaddr_un address = localAddress(path);
    if (::bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("the test's socket cannot be bound");
    return socket;
}

inline PlainSocket listeningAt(const std::string& path, int backlog = 16) {
    PlainSocket socket = boundTo(path);
    ::listen(socket.descriptor(), backlog);
    return socket;
}

inline PlainSocket connectedTo(const std::string& path) {
    PlainSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = localAddress(path);
    if (::connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("the test's client cannot connect");
    return socket;
}

} // namespace halyard::test
