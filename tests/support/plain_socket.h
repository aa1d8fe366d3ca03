#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace halyard::test {

/// The other end in a test: a socket of the system's, with nothing of Halyard in it.
class PlainSocket {
  public:
    PlainSocket() = default;
    explicit PlainSocket(int descriptor) noexcept : descriptor_(descriptor) {}
    PlainSocket(PlainSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    PlainSocket& operator=(PlainSocket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~PlainSocket() { close(); }

    /// A connection to the loopback address that stands when this returns: the kernel's backlog is enough for that.
    static PlainSocket connectedTo(std::uint16_t port) {
        PlainSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in name = loopback(port);
        if (::connect(socket.descriptor_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
            throw std::runtime_error("the test's client cannot connect");
        return socket;
    }

    /// A listener on a free port.
    static PlainSocket listening(int backlog = 16) {
        PlainSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in name = loopback(0);
        if (::bind(socket.descriptor_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
            ::listen(socket.descriptor_, backlog) != 0)
            throw std::runtime_error("the test's listener cannot listen");
        return socket;
    }

    int descriptor() const noexcept { return descriptor_; }
    int release() noexcept { return std::exchange(descriptor_, -1); }

    std::uint16_t port() const {
        sockaddr_in name{};
        socklen_t size = sizeof name;
        ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&name), &size);
        return ntohs(name.sin_port);
    }

    PlainSocket accept() const { return PlainSocket(::accept(descriptor_, nullptr, nullptr)); }

    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                throw std::runtime_error("the test's socket cannot send");
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    /// Everything up to the peer's end, or up to `size` bytes.
    std::string receive(std::size_t size = std::string::npos) const {
        std::string all;
        char buffer[65536];
        while (all.size() < size) {
            const ssize_t got = ::recv(descriptor_, buffer, std::min(sizeof buffer, size - all.size()), 0);
            if (got <= 0)
                break;
            all.append(buffer, static_cast<std::size_t>(got));
        }
        return all;
    }

    /// What is there now, without waiting; `ended` says whether the peer has ended the connection.
    std::string receiveNow(bool* ended = nullptr) const {
        std::string all;
        char buffer[65536];
        for (;;) {
            const ssize_t got = ::recv(descriptor_, buffer, sizeof buffer, MSG_DONTWAIT);
            if (got <= 0) {
                if (ended != nullptr)
                    *ended = got == 0 || (errno != EAGAIN);
                return all;
            }
            all.append(buffer, static_cast<std::size_t>(got));
        }
    }

    bool isReset() const {
        char byte = 0;
        return ::recv(descriptor_, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET;
    }

    void shutdownWrite() const { ::shutdown(descriptor_, SHUT_WR); }

    void close() noexcept {
        if (descriptor_ >= 0)
            ::close(std::exchange(descriptor_, -1));
    }

    void reset() noexcept {
        const linger atOnce{1, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &atOnce, sizeof atOnce);
        close();
    }

    void setBuffer(int option, int bytes) const { ::setsockopt(descriptor_, SOL_SOCKET, option, &bytes, sizeof bytes); }

    static sockaddr_in loopback(std::uint16_t port) noexcept {
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_port = htons(port);
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return name;
    }

  private:
    int descriptor_ = -1;
};

} // namespace halyard::test
