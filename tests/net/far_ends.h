#pragma once

#include <halyard/net/endpoint.h>

#include <plain_socket.h>

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace halyard::test {

/// Where a plain socket is bound.
inline Endpoint boundTo(const PlainSocket& socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    ::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&name), &size);
    const auto* const address = reinterpret_cast<const sockaddr*>(&name);
    return {HostAddress(address), HostAddress::portOf(address)};
}

/// Bound to an address of this machine, of either family; nothing where the port is taken. 0 is a free one.
inline std::optional<PlainSocket> tryToBind(const HostAddress& address, std::uint16_t port) {
    sockaddr_storage name{};
    const auto size = static_cast<socklen_t>(address.toSockaddr(name, port));
    PlainSocket socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1; // connections that other tests have left in TIME_WAIT are nobody's
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        return std::nullopt;
    return socket;
}

inline PlainSocket bindTo(const HostAddress& address, std::uint16_t port) {
    auto socket = tryToBind(address, port);
    if (!socket)
        throw std::runtime_error("the test cannot bind to " + address.toString());
    return *std::move(socket);
}

/// A port that is free at all these addresses.
inline std::uint16_t portFreeAt(const std::vector<HostAddress>& addresses) {
    for (int tries = 0; tries != 1000; ++tries) {
        std::vector<PlainSocket> bound;
        bound.push_back(bindTo(addresses.front(), 0));
        const std::uint16_t port = boundTo(bound.front()).port;
        for (const HostAddress& each : std::span(addresses).subspan(1))
            if (auto socket = tryToBind(each, port))
                bound.push_back(*std::move(socket));
        if (bound.size() == addresses.size())
            return port;
    }
    throw std::runtime_error("the test finds no port that is free at all addresses");
}

/// A listener; at a free port where none is given.
inline PlainSocket listeningAt(const HostAddress& address, std::uint16_t port = 0, int backlog = 128) {
    PlainSocket socket = bindTo(address, port);
    if (::listen(socket.descriptor(), backlog) != 0)
        throw std::runtime_error("the test cannot listen at " + address.toString());
    return socket;
}

/// A port that refuses: it is bound, and nobody listens.
class Refusing {
  public:
    explicit Refusing(const HostAddress& address, std::uint16_t port = 0) : socket_(bindTo(address, port)) {}
    Endpoint endpoint() const { return boundTo(socket_); }

  private:
    PlainSocket socket_;
};

/// A listener that answers no one, as an address whose packets get lost: its backlog is full.
class Silent {
  public:
    explicit Silent(const HostAddress& address, std::uint16_t port = 0) : listener_(listeningAt(address, port, 0)) {
        sockaddr_storage name{};
        const Endpoint at = endpoint();
        const auto size = static_cast<socklen_t>(at.address.toSockaddr(name, at.port));
        for (bool full = false; !full;) {
            PlainSocket filler(::socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            ::connect(filler.descriptor(), reinterpret_cast<const sockaddr*>(&name), size);
            pollfd look{filler.descriptor(), POLLOUT, 0};
            full = ::poll(&look, 1, 20) == 0; // on loopback those that are answered are answered at once
            fillers_.push_back(std::move(filler));
        }
    }

    Endpoint endpoint() const { return boundTo(listener_); }

    /// From now on it answers: whoever tries, tries again after a second.
    void answer() {
        for (std::size_t i = 0; i + 1 < fillers_.size(); ++i)
            listener_.accept();
        fillers_.pop_back();
    }

  private:
    PlainSocket listener_;
    std::vector<PlainSocket> fillers_;
};

/// How many descriptors this process has.
inline std::ptrdiff_t openDescriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

} // namespace halyard::test
