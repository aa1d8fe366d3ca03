#pragma once

#include <halyard/signals/export.h>

#include <cstdint>
#include <string>

namespace halyard {

/// By which way connections are made, and listened for.
///
///     NetworkProxy::setApplicationProxy({NetworkProxy::Socks5, "proxy.example.org", 1080, "user", "password"});
///     socket.setProxy({NetworkProxy::None}); // this one goes directly all the same
///
/// This version of Halyard speaks to no proxy yet. Where one of type Socks5 or Http applies, connecting and listening
/// are refused with UnsupportedSocketOperation: nothing ever goes directly that should not.
///
/// Which one applies: the socket's or server's own, and where that is of type Default the application's. Listening at a
/// loopback address is always direct; so is connecting to one, or to "localhost", unless the socket has a proxy of its
/// own.
/// @since 0.1
struct HALYARD_API NetworkProxy {
    enum class Type : std::uint8_t {
        Default, ///< the application's proxy, where there is one
        None,    ///< directly
        Socks5,  ///< SOCKS version 5 (RFC 1928)
        Http,    ///< HTTP CONNECT (RFC 9110 section 9.3.6)
    };
    using enum Type;

    Type type = Type::Default;
    std::string host;
    std::uint16_t port = 0;
    std::string user;
    std::string password;

    /// What Default means from now on, for all threads; for connections and listeners that begin after that.
    /// Thread-safe.
    static void setApplicationProxy(const NetworkProxy& proxy);
    /// Of type None until one is set. Thread-safe.
    static NetworkProxy applicationProxy();

    friend bool operator==(const NetworkProxy&, const NetworkProxy&) = default;
};

} // namespace halyard
