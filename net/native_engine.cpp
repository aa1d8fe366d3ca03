#include "native_engine.h"

#include "../core/no_sigpipe.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace halyard {

namespace {

int setFlag(int descriptor, int level, int option, int value) noexcept {
    return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0 ? 0 : errno;
}

Endpoint toEndpoint(const sockaddr_storage& name) {
    const auto* const address = reinterpret_cast<const sockaddr*>(&name);
    return {HostAddress(address), HostAddress::portOf(address)};
}

constexpr std::size_t longestSend = std::size_t{1} << 30; // sendfile(2) takes a little less than 2 GiB

} // namespace

int NativeEngine::open(int family) noexcept {
    close(false);
    plain_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    family_ = family;
    return plain_ >= 0 ? 0 : errno;
}

int NativeEngine::openFor(const HostAddress& peer) noexcept {
    if (plain_ >= 0)
        return 0;
    sockaddr_storage name{};
    return peer.toSockaddr(name, 0) != 0 ? open(name.ss_family) : EADDRNOTAVAIL;
}

int NativeEngine::connectTo(const Endpoint& peer) noexcept {
    sockaddr_storage name{};
    std::size_t length = peer.address.toSockaddr(name, peer.port);
    // An IPv6 socket that was bound to every address reaches IPv4 peers by their mapped addresses (ipv6(7)).
    if (name.ss_family == AF_INET && family_ == AF_INET6)
        length = HostAddress(peer.address.toIPv6()).toSockaddr(name, peer.port);
    if (length == 0)
        return EADDRNOTAVAIL;
    int result = 0;
    do {
        result = ::connect(plain_, reinterpret_cast<const sockaddr*>(&name), static_cast<socklen_t>(length));
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

int NativeEngine::takeError() noexcept {
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(plain_, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

int NativeEngine::finishConnect() noexcept {
    if (const int error = takeError(); error != 0)
        return error;
    // No error is also what an attempt under way has: only a connected one has a peer.
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getpeername(plain_, reinterpret_cast<sockaddr*>(&name), &size) == 0)
        return 0;
    return errno == ENOTCONN ? EINPROGRESS : errno;
}

int NativeEngine::listenAt(const Endpoint& local, int backlog, bool reusePort) {
    int error = bindAndListen(local, backlog, reusePort);
    // A machine without IPv6: Any is then every IPv4 address.
    if ((error == EAFNOSUPPORT || error == EADDRNOTAVAIL) && local.address == HostAddress::Any)
        error = bindAndListen({HostAddress::AnyIPv4, local.port}, backlog, reusePort);
    if (error != 0)
        close(false);
    return error;
}

int NativeEngine::bindTo(const Endpoint& local) noexcept {
    int error = openAndBind(local, false, false);
    if ((error == EAFNOSUPPORT || error == EADDRNOTAVAIL) && local.address == HostAddress::Any)
        error = openAndBind({HostAddress::AnyIPv4, local.port}, false, false);
    if (error != 0)
        close(false);
    return error;
}

int NativeEngine::bindAndListen(const Endpoint& local, int backlog, bool reusePort) noexcept {
    // socket(7): without it a port stays taken while old connections are in TIME_WAIT.
    if (const int error = openAndBind(local, true, reusePort); error != 0)
        return error;
    return ::listen(plain_, backlog) == 0 ? 0 : errno;
}

int NativeEngine::openAndBind(const Endpoint& local, bool reuseAddress, bool reusePort) noexcept {
    sockaddr_storage name{};
    const auto length = static_cast<socklen_t>(local.address.toSockaddr(name, local.port));
    if (length == 0)
        return EADDRNOTAVAIL;
    if (const int error = open(name.ss_family); error != 0)
        return error;
    if (reuseAddress)
        if (const int error = setFlag(plain_, SOL_SOCKET, SO_REUSEADDR, 1); error != 0)
            return error;
    if (reusePort)
        if (const int error = setFlag(plain_, SOL_SOCKET, SO_REUSEPORT, 1); error != 0)
            return error;
    // ipv6(7): one socket for both families, or for IPv6 alone.
    if (name.ss_family == AF_INET6)
        if (const int error = setFlag(plain_, IPPROTO_IPV6, IPV6_V6ONLY, local.address != HostAddress::Any); error != 0)
            return error;
    return ::bind(plain_, reinterpret_cast<const sockaddr*>(&name), length) == 0 ? 0 : errno;
}

int NativeEngine::accept(Endpoint& peer) noexcept {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    const int accepted = ::accept4(plain_, reinterpret_cast<sockaddr*>(&name), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0)
        return -errno;
    peer = toEndpoint(name);
    return accepted;
}

std::ptrdiff_t NativeEngine::receive(std::span<std::byte> into) noexcept {
    for (;;) {
        const ssize_t received = plain::receive(plain_, into);
        if (received >= 0)
            return received;
        if (errno != EINTR)
            return -errno;
    }
}

std::ptrdiff_t NativeEngine::send(std::span<const iovec> from) noexcept {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    for (;;) {
        const ssize_t sent = ::sendmsg(plain_, &message, MSG_NOSIGNAL);
        if (sent >= 0)
            return sent;
        if (errno != EINTR)
            return -errno;
    }
}

std::ptrdiff_t NativeEngine::sendPiece(std::string_view bytes) noexcept {
    for (;;) {
        const ssize_t sent = plain::send(plain_, bytes);
        if (sent >= 0)
            return sent;
        if (errno != EINTR)
            return -errno;
    }
}

std::ptrdiff_t NativeEngine::sendFile(int file, std::int64_t offset, std::size_t length) noexcept {
    // sendfile(2) knows no MSG_NOSIGNAL.
    const NoSigpipe quiet;
    for (;;) {
        off_t from = offset;
        const ssize_t sent = ::sendfile(plain_, file, &from, std::min(length, longestSend));
        if (sent >= 0)
            return sent;
        if (errno != EINTR)
            return -errno;
    }
}

std::ptrdiff_t NativeEngine::receiveInto(int pipe) noexcept {
    for (;;) {
        const ssize_t received =
            ::splice(plain_, nullptr, pipe, nullptr, longestSend, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (received >= 0)
            return received;
        if (errno != EINTR)
            return -errno;
    }
}

std::ptrdiff_t NativeEngine::sendFrom(int pipe, std::size_t length) noexcept {
    const NoSigpipe quiet; // splice(2) knows no MSG_NOSIGNAL either
    for (;;) {
        const ssize_t sent = ::splice(pipe, nullptr, plain_, nullptr, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent >= 0)
            return sent;
        if (errno != EINTR)
            return -errno;
    }
}

void NativeEngine::shutdownSend() noexcept { ::shutdown(plain_, SHUT_WR); }

Endpoint NativeEngine::local() const {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    if (plain_ < 0 || ::getsockname(plain_, reinterpret_cast<sockaddr*>(&name), &length) != 0)
        return {};
    return toEndpoint(name);
}

Endpoint NativeEngine::peer() const {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    if (plain_ < 0 || ::getpeername(plain_, reinterpret_cast<sockaddr*>(&name), &length) != 0)
        return {};
    return toEndpoint(name);
}

void NativeEngine::adopt(int descriptor) noexcept {
    close(false);
    plain_ = descriptor;
}

int NativeEngine::release() noexcept {
    unwatch();
    return std::exchange(plain_, -1);
}

void NativeEngine::close(bool reset) noexcept {
    if (plain_ < 0)
        return;
    unwatch();
    if (reset) {
        const linger atOnce{1, 0}; // socket(7): close then resets the connection
        ::setsockopt(plain_, SOL_SOCKET, SO_LINGER, &atOnce, sizeof atOnce);
    }
    ::close(std::exchange(plain_, -1));
}

} // namespace halyard
