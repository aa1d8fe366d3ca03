#include <halyard/net/socket_types.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>

namespace halyard {

namespace {

struct Description {
    SocketError error;
    std::string_view name;
    std::string_view message;
    std::errc condition{}; // none where no single std::errc says the same
};

using enum SocketError;

constexpr std::array descriptions{
    Description{None, "None", "no error"},
    Description{ConnectionRefused, "ConnectionRefused", "connection refused", std::errc::connection_refused},
    Description{RemoteHostClosed, "RemoteHostClosed", "the remote host closed the connection",
                std::errc::connection_reset},
    Description{HostNotFound, "HostNotFound", "host not found"},
    Description{SocketAccess, "SocketAccess", "permission denied", std::errc::permission_denied},
    Description{SocketResource, "SocketResource", "out of resources"},
    Description{SocketTimeout, "SocketTimeout", "the operation timed out", std::errc::timed_out},
    Description{DatagramTooLarge, "DatagramTooLarge", "the datagram is too large", std::errc::message_size},
    Description{Network, "Network", "the network or the host is unreachable"},
    Description{AddressInUse, "AddressInUse", "the address is already in use", std::errc::address_in_use},
    Description{SocketAddressNotAvailable, "SocketAddressNotAvailable", "the address is not available",
                std::errc::address_not_available},
    Description{UnsupportedSocketOperation, "UnsupportedSocketOperation", "the operation is not supported",
                std::errc::operation_not_supported},
    Description{UnfinishedSocketOperation, "UnfinishedSocketOperation", "the operation is still in progress",
                std::errc::operation_in_progress},
    Description{ProxyAuthenticationRequired, "ProxyAuthenticationRequired", "the proxy requires authentication"},
    Description{ProxyConnectionRefused, "ProxyConnectionRefused", "the proxy refused the connection",
                std::errc::connection_refused},
    Description{ProxyConnectionClosed, "ProxyConnectionClosed", "the proxy closed the connection too early",
                std::errc::connection_reset},
    Description{ProxyConnectionTimeout, "ProxyConnectionTimeout", "the proxy did not answer in time",
                std::errc::timed_out},
    Description{ProxyNotFound, "ProxyNotFound", "proxy host not found"},
    Description{ProxyProtocol, "ProxyProtocol", "the proxy broke its protocol", std::errc::protocol_error},
    Description{Operation, "Operation", "the operation is not allowed in this state"},
    Description{Temporary, "Temporary", "temporarily unavailable", std::errc::resource_unavailable_try_again},
    Description{Unknown, "Unknown", "unknown error"},
};

constexpr bool isOrdered() {
    for (std::size_t i = 0; i < descriptions.size(); ++i) {
        if (descriptions[i].error != static_cast<SocketError>(i))
            return false;
    }
    return descriptions.back().error == Unknown;
}
static_assert(isOrdered(), "the table is indexed by the enumerators");

/// Null for a value that is no enumerator: a std::error_code can hold any number.
const Description* describe(int value) noexcept {
    const auto index = static_cast<std::size_t>(value);
    return index < descriptions.size() ? &descriptions[index] : nullptr;
}

class SocketCategory final : public std::error_category {
  public:
    const char* name() const noexcept override { return "halyard.socket"; }

    std::string message(int value) const override {
        const Description* description = describe(value);
        return std::string((description ? *description : descriptions.back()).message);
    }

    std::error_condition default_error_condition(int value) const noexcept override {
        const Description* description = describe(value);
        if (!description || description->condition == std::errc{})
            return {value, *this};
        return description->condition;
    }
};

} // namespace

const std::error_category& socketCategory() noexcept {
    static const SocketCategory category;
    return category;
}

std::error_code make_error_code(SocketError error) noexcept { return {static_cast<int>(error), socketCategory()}; }

SocketError socketErrorFromErrno(int errorNumber) noexcept {
    switch (errorNumber) {
    case 0:
        return None;
    case ECONNREFUSED:
        return ConnectionRefused;
    case ECONNRESET:
    case EPIPE:
        return RemoteHostClosed;
    case ENOENT:
        return HostNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
        return SocketAccess;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return SocketResource;
    case ETIMEDOUT:
        return SocketTimeout;
    case EMSGSIZE:
        return DatagramTooLarge;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENETRESET:
    case ECONNABORTED:
        return Network;
    case EADDRINUSE:
        return AddressInUse;
    case EADDRNOTAVAIL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case ELOOP:
        return SocketAddressNotAvailable;
    case EBADF:
    case ENOTSOCK:
    case EINVAL:
    case EPROTO:
    case EPROTOTYPE:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
        return UnsupportedSocketOperation;
    case EINPROGRESS:
    case EALREADY:
        return UnfinishedSocketOperation;
    case EISCONN:
    case ENOTCONN:
        return Operation;
    case EAGAIN:
    case EINTR:
        return Temporary;
    default:
        return Unknown;
    }
}

std::string_view nameOf(SocketState state) noexcept {
    switch (state) {
    case SocketState::Unconnected:
        return "Unconnected";
    case SocketState::HostLookup:
        return "HostLookup";
    case SocketState::Connecting:
        return "Connecting";
    case SocketState::Connected:
        return "Connected";
    case SocketState::Bound:
        return "Bound";
    case SocketState::Listening:
        return "Listening";
    case SocketState::Closing:
        return "Closing";
    }
    return {};
}

std::string_view nameOf(SocketError error) noexcept {
    const Description* description = describe(static_cast<int>(error));
    return description ? description->name : std::string_view{};
}

} // namespace halyard
