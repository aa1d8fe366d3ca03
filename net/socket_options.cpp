#include "socket_options.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace halyard {

namespace {

/// Where an option lives, and in how much of its unit the system counts it.
struct Place {
    SocketOption option;
    int level;
    int name;
    int least = 0;
    int scale = 1;
};

constexpr std::array places{
    Place{SocketOption::LowDelay, IPPROTO_TCP, TCP_NODELAY},
    Place{SocketOption::KeepAlive, SOL_SOCKET, SO_KEEPALIVE},
    Place{SocketOption::KeepAliveIdle, IPPROTO_TCP, TCP_KEEPIDLE, 1},
    Place{SocketOption::KeepAliveInterval, IPPROTO_TCP, TCP_KEEPINTVL, 1},
    Place{SocketOption::KeepAliveCount, IPPROTO_TCP, TCP_KEEPCNT, 1},
    Place{SocketOption::UserTimeout, IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 1000},
    Place{SocketOption::SendBufferSize, SOL_SOCKET, SO_SNDBUF, 1},
    Place{SocketOption::ReceiveBufferSize, SOL_SOCKET, SO_RCVBUF, 1},
};

const Place* placeOf(SocketOption option) noexcept {
    const auto* const found =
        std::find_if(places.begin(), places.end(), [option](const Place& each) { return each.option == option; });
    return found != places.end() ? found : nullptr;
}

template <class Value>
int set(int descriptor, int level, int name, const Value& value) noexcept {
    return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0 ? 0 : errno;
}

template <class Value>
std::optional<Value> get(int descriptor, int level, int name) noexcept {
    Value value{};
    socklen_t length = sizeof value;
    if (::getsockopt(descriptor, level, name, &value, &length) != 0)
        return std::nullopt;
    return value;
}

bool isIPv6(int descriptor) noexcept {
    return get<int>(descriptor, SOL_SOCKET, SO_DOMAIN).value_or(AF_INET) == AF_INET6;
}

} // namespace

int SocketOptions::setAt(int descriptor, SocketOption option, int value) noexcept {
    if (option == SocketOption::Linger) {
        const linger how{value >= 0 ? 1 : 0, std::max(value, 0)};
        return set(descriptor, SOL_SOCKET, SO_LINGER, how);
    }
    if (option == SocketOption::TypeOfService) {
        if (value < 0 || value > UCHAR_MAX)
            return EINVAL;
        if (isIPv6(descriptor))
            if (const int error = set(descriptor, IPPROTO_IPV6, IPV6_TCLASS, value); error != 0)
                return error;
        // An IPv6 socket that talks to an IPv4 peer has both (ip(7)).
        return set(descriptor, IPPROTO_IP, IP_TOS, value);
    }
    const Place* const place = placeOf(option);
    if (place == nullptr || value < place->least || value > INT_MAX / place->scale)
        return EINVAL;
    return set(descriptor, place->level, place->name, value * place->scale);
}

std::optional<int> SocketOptions::at(int descriptor, SocketOption option) noexcept {
    if (option == SocketOption::Linger) {
        const auto how = get<linger>(descriptor, SOL_SOCKET, SO_LINGER);
        if (!how)
            return std::nullopt;
        return how->l_onoff != 0 ? how->l_linger : -1;
    }
    if (option == SocketOption::TypeOfService)
        return isIPv6(descriptor) ? get<int>(descriptor, IPPROTO_IPV6, IPV6_TCLASS)
                                  : get<int>(descriptor, IPPROTO_IP, IP_TOS);
    const Place* const place = placeOf(option);
    if (place == nullptr)
        return std::nullopt;
    auto value = get<int>(descriptor, place->level, place->name);
    if (value)
        *value /= place->scale;
    return value;
}

void SocketOptions::remember(SocketOption option, int value) {
    const auto found =
        std::find_if(all_.begin(), all_.end(), [option](const auto& each) { return each.first == option; });
    if (found != all_.end())
        found->second = value;
    else
        all_.emplace_back(option, value);
}

std::optional<int> SocketOptions::remembered(SocketOption option) const noexcept {
    for (const auto& [each, value] : all_)
        if (each == option)
            return value;
    return std::nullopt;
}

int SocketOptions::applyTo(int descriptor) const noexcept {
    int first = 0;
    for (const auto& [option, value] : all_)
        if (const int error = setAt(descriptor, option, value); error != 0 && first == 0)
            first = error;
    return first;
}

} // namespace halyard
