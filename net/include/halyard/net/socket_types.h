#pragma once

#include <halyard/signals/export.h>

#include <string_view>
#include <system_error>
#include <type_traits>

/// @file
/// What sockets and servers speak of: their states, their errors and their options.
///
///     socket.errorOccurred.connect([&](halyard::SocketError error) {
///         std::error_code code = error;
///         if (code == std::errc::connection_refused)
///             std::puts(code.message().c_str()); // "connection refused"
///     });
namespace halyard {

/// The state of a socket; a connection goes through them in this order, Bound and Listening aside.
/// @since 0.1
enum class SocketState {
    Unconnected, ///< Nothing is open, or what was is over.
    HostLookup,  ///< A host name is being resolved.
    Connecting,  ///< connect(2) is under way, or the proxy's handshake is.
    Connected,   ///< Bytes can go both ways.
    Bound,       ///< bind(2) gave the socket an address, but it has no peer.
    Listening,   ///< A server's socket that takes connections.
    Closing,     ///< What was written is still going out, then the connection ends.
};

/// Why an operation on a socket or a server failed. A std::error_code enum: `std::error_code code = error;`.
///
/// Each line says what leads there: an errno value as socketErrorFromErrno() maps it, a SOCKS5 reply (RFC
/// 1928 section 6) or the status of an HTTP CONNECT (RFC 9110 section 9.3.6).
/// @since 0.1
enum class SocketError {
    None = 0,                    ///< No error; also what the next success leaves behind.
    ConnectionRefused,           ///< ECONNREFUSED; SOCKS5 reply 5; HTTP 503.
    RemoteHostClosed,            ///< End of stream, ECONNRESET, EPIPE.
    HostNotFound,                ///< The name did not resolve, ENOENT; SOCKS5 reply 4; HTTP 404.
    SocketAccess,                ///< EACCES, EPERM, EROFS; SOCKS5 reply 2; HTTP 403 and 405.
    SocketResource,              ///< Out of descriptors or memory: EMFILE, ENFILE, ENOBUFS, ENOMEM.
    SocketTimeout,               ///< A deadline passed, here or in the kernel (ETIMEDOUT).
    DatagramTooLarge,            ///< EMSGSIZE.
    Network,                     ///< ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, ENETRESET, ECONNABORTED;
                                 ///< SOCKS5 replies 1, 3 and 6.
    AddressInUse,                ///< EADDRINUSE.
    SocketAddressNotAvailable,   ///< EADDRNOTAVAIL: no interface of this host has the address. ENAMETOOLONG,
                                 ///< ENOTDIR, ELOOP: no local socket can have the name.
    UnsupportedSocketOperation,  ///< Not with this descriptor, family or proxy: EBADF, ENOTSOCK, EINVAL,
                                 ///< EPROTO, EPROTOTYPE, EOPNOTSUPP, ENOPROTOOPT, EAFNOSUPPORT, EPROTONOSUPPORT; SOCKS5
                                 ///< replies 7 and 8.
    UnfinishedSocketOperation,   ///< Under way, not failed: EINPROGRESS, EALREADY.
    ProxyAuthenticationRequired, ///< The proxy wants other credentials: no SOCKS5 method accepted (0xff);
                                 ///< HTTP 407 and 401.
    ProxyConnectionRefused,      ///< ECONNREFUSED on the way to the proxy.
    ProxyConnectionClosed,       ///< The proxy closed before the tunnel stood.
    ProxyConnectionTimeout,      ///< The proxy did not answer in time.
    ProxyNotFound,               ///< The proxy's own name did not resolve.
    ProxyProtocol,               ///< The proxy's answer is not SOCKS5 or HTTP, or has an unexpected status.
    Operation,                   ///< A call that this state does not allow: EISCONN, ENOTCONN.
    Temporary,                   ///< Worth another try at once or soon: EAGAIN, EINTR.
    Unknown,                     ///< Whatever has no better name.
};

/// The options of a socket. One that is set before there is a descriptor is kept and set then.
/// @since 0.1
enum class SocketOption {
    LowDelay,          ///< 1: send small writes at once, without Nagle's algorithm (TCP_NODELAY); 0: gather them.
    KeepAlive,         ///< 1: probe an idle peer (SO_KEEPALIVE); 0: do not.
    KeepAliveIdle,     ///< Seconds of idleness before the first probe (TCP_KEEPIDLE).
    KeepAliveInterval, ///< Seconds between probes (TCP_KEEPINTVL).
    KeepAliveCount,    ///< Unanswered probes until the connection is lost (TCP_KEEPCNT).
    UserTimeout,       ///< Seconds that sent data may stay unacknowledged (TCP_USER_TIMEOUT); 0: the system's
                       ///< default.
    Linger,            ///< Seconds that close(2) waits for unsent data (SO_LINGER); 0: reset the connection.
    SendBufferSize,    ///< Bytes of the kernel's send buffer (SO_SNDBUF); Linux doubles what it is given.
    ReceiveBufferSize, ///< Bytes of the kernel's receive buffer (SO_RCVBUF); Linux doubles what it is given.
    TypeOfService,     ///< The DS field, 0 to 255 (RFC 2474): IP_TOS or IPV6_TCLASS.
};

/// The category of SocketError codes, named "halyard.socket". A message is a sentence without capital and
/// full stop, to stand after "cannot connect: ". Codes that are what one std::errc means compare equal to it:
/// SocketTimeout and ProxyConnectionTimeout to std::errc::timed_out, SocketAccess to
/// std::errc::permission_denied.
///
/// Thread-safe.
/// @since 0.1
[[nodiscard]] HALYARD_API const std::error_category& socketCategory() noexcept;

/// Found by std::error_code's constructor. Thread-safe.
/// @since 0.1
[[nodiscard]] HALYARD_API std::error_code make_error_code(SocketError error) noexcept;

/// The error that an errno value of a socket call stands for: None for 0, Unknown for a value without a
/// better name. What libuv reports is such a value, negated. Thread-safe.
/// @since 0.1
[[nodiscard]] HALYARD_API SocketError socketErrorFromErrno(int errorNumber) noexcept;

/// The enumerator's name, "Connected"; "" for a value that is no enumerator. Thread-safe.
/// @since 0.1
[[nodiscard]] HALYARD_API std::string_view nameOf(SocketState state) noexcept;

/// The enumerator's name, "ConnectionRefused"; "" for a value that is no enumerator. Thread-safe.
/// @since 0.1
[[nodiscard]] HALYARD_API std::string_view nameOf(SocketError error) noexcept;

} // namespace halyard

/// Lets a SocketError become a std::error_code by itself.
template <>
struct std::is_error_code_enum<halyard::SocketError> : std::true_type {};
