#pragma once

#include <halyard/net/endpoint.h>

#include <plain_socket.h>

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <stdexcept>
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

/// A listener at an address of this machine, of either family; at a free port where none is given.
inline PlainSocket listeningAt(const HostAddress& address, std::uint16_t port = 0, int backlog = 128) {
    sockaddr_storage name{};
    const auto size = static_cast<socklen_t>(address.toSockaddr(name, port));
    PlainSocket socket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&name), size) != 0 ||
        ::listen(socket.descriptor(), backlog) != 0)
        throw std::runtime_error("the test cannot listen at " + address.toString());
    return socket;
}

/// A port that refuses, as long as nobody else takes it: bound, and nobody listens.
class Refusing {
  public:
    explicit Refusing(const HostAddress& address, std::uint16_t port = 0) {
        sockaddr_storage name{};
        const auto size = static_cast<socklen_t>(address.toSockaddr(name, port));
        socket_ = PlainSocket(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
            throw std::runtime_error("the test cannot bind to " + address.toString());
    }
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
