#include "load_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bench {

namespace {

constexpr std::size_t atOnce = 64 * 1024;
constexpr std::size_t period = 251; // a prime: a message that went missing or came twice shows

/// The stream that every connection sends: what stands at a place is known from the place.
const char* streamAt(std::uint64_t place) {
    static const auto stream = [] {
        std::array<char, atOnce + period> bytes;
        for (std::size_t i = 0; i != bytes.size(); ++i)
            bytes[i] = static_cast<char>(i % period);
        return bytes;
    }();
    return stream.data() + place % period;
}

void setFlag(const Descriptor& socket, int level, int option, const char* name) {
    const int on = 1;
    checked(::setsockopt(socket.get(), level, option, &on, sizeof on), name);
}

sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
    name.sin_port = htons(port);
    return name;
}

/// Without waiting for the server's accept: the kernel answers as long as its backlog has room.
Descriptor connectTo(std::uint16_t port, std::uint64_t number) {
    constexpr std::uint64_t sources = 200;
    Descriptor socket(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    setFlag(socket, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
    setFlag(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT");
    const sockaddr_in from = loopback(1 + static_cast<std::uint32_t>(number % sources), 0);
    checked(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from), "bind");
    const sockaddr_in to = loopback(0, port);
    checked(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
    return socket;
}

} // namespace

LoadConnection::LoadConnection(std::uint16_t port, std::uint64_t number, std::size_t messageSize, std::size_t depth,
                               int poll, std::uint64_t tag)
    : socket_(connectTo(port, number)), size_(messageSize), depth_(depth), poll_(poll), tag_(tag), departure_(depth) {
    change(EPOLL_CTL_ADD);
}

void LoadConnection::send(std::uint64_t messages) {
    wanted_ += messages * size_;
    transmit();
}

void LoadConnection::finish() {
    finished_ = true;
    checked(::shutdown(socket_.get(), SHUT_WR), "shutdown");
}

void LoadConnection::onReady(std::vector<float>& latencies) {
    receive(latencies);
    transmit();
}

void LoadConnection::receive(std::vector<float>& latencies) {
    static std::array<char, atOnce> buffer;
    const ssize_t result = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (result < 0) {
        if (errno != EAGAIN)
            fail("recv");
        return;
    }
    if (result == 0) {
        if (!finished_ || !isEchoed())
            throw std::runtime_error("the server closed a connection after " + std::to_string(received_) + " of " +
                                     std::to_string(wanted_) + " bytes");
        closed_ = true;
        return;
    }
    const auto bytes = static_cast<std::size_t>(result);
    if (received_ + bytes > sent_ || std::memcmp(buffer.data(), streamAt(received_), bytes) != 0)
        throw std::runtime_error("what came back is not what was sent, from byte " + std::to_string(received_) + " on");
    std::uint64_t message = received_ / size_;
    received_ += bytes;
    const Clock::time_point now = Clock::now();
    for (; (message + 1) * size_ <= received_; ++message)
        latencies.push_back(std::chrono::duration<float, std::micro>(now - departure_[message % depth_]).count());
}

void LoadConnection::transmit() {
    const std::uint64_t allowed = std::min(wanted_, (received_ / size_ + depth_) * size_);
    bool blocked = false;
    while (sent_ != allowed && !blocked) {
        const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(allowed - sent_, atOnce));
        const Clock::time_point now = Clock::now();
        const ssize_t result = ::send(socket_.get(), streamAt(sent_), part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result < 0 && errno != EAGAIN)
            fail("send");
        const auto taken = static_cast<std::size_t>(std::max<ssize_t>(result, 0));
        blocked = taken < part;
        sent_ += taken;
        for (; begun_ * size_ < sent_; ++begun_)
            departure_[begun_ % depth_] = now;
    }
    if (blocked != blocked_) {
        blocked_ = blocked;
        change(EPOLL_CTL_MOD);
    }
}

void LoadConnection::change(int operation) {
    epoll_event event{};
    event.events = EPOLLIN | (blocked_ ? std::uint32_t{EPOLLOUT} : 0U);
    event.data.u64 = tag_;
    checked(::epoll_ctl(poll_, operation, socket_.get(), &event), "epoll_ctl");
}

} // namespace bench
