#pragma once

#include <halyard/signals/export.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace halyard {

struct NetworkProxy;

/// What a ProxySelector is asked.
/// @since 0.1
struct ProxyQuery {
    /// What the proxy shall do.
    enum class Kind : std::uint8_t {
        Connect, ///< by which way to connect to the host and port
        Listen,  ///< by which way to listen at the address and port
    };
    Kind kind = Kind::Connect; ///< Which of them.
    std::string host;          ///< A name or the text of an address.
    std::uint16_t port = 0;    ///< The port to connect to, or to listen at.
};

/// Says by which proxies a connection or a listener may go, the one to be preferred first. The first that can do it is
/// taken; an empty list, and an entry of type None or Default, means directly. It is called inside connectToHost() or
/// listen(), on the thread of the socket or server, which it must not touch.
/// @since 0.1
using ProxySelector = std::function<std::vector<NetworkProxy>(const ProxyQuery& query)>;

/// By which way connections are made, and listened for.
///
///     NetworkProxy::setApplicationProxy({NetworkProxy::Socks5, "proxy.example.org", 1080, "user", "password"});
///     socket.setProxy({NetworkProxy::None}); // this one goes directly all the same
///
/// Which one applies: the socket's or server's own, and where that is of type Default the application's. Listening at a
/// loopback address is always direct; so is connecting to one, or to "localhost", unless the socket has a proxy of its
/// own. Nothing ever goes directly that should not.
///
/// Names of hosts are sent to the proxy, and looked up there. A user name and a password are sent only to a proxy that
/// asks for them; they are sent in the clear. Neither is ever in a log line or an error.
/// @since 0.1
struct HALYARD_API NetworkProxy {
    /// How it is spoken to.
    enum class Type : std::uint8_t {
        Default, ///< the application's proxy, where there is one
        None,    ///< directly
        Socks5,  ///< SOCKS version 5 (RFC 1928, 1929): connects, and listens for one client at a time (BIND)
        Http,    ///< HTTP CONNECT (RFC 9110 section 9.3.6) with Basic authentication (RFC 7617): connects
    };
    using enum Type;

    Type type = Type::Default; ///< Default: the application's.
    std::string host;          ///< Its name, or its address as text.
    std::uint16_t port = 0;    ///< Where it listens.
    std::string user;          ///< Empty: without authentication.
    std::string password;      ///< Sent in the clear, when the proxy asks.

    /// Reads "socks5://user:password@host:port" (or "socks5h://", which is the same here) and "http://...": what cannot
    /// stand in a URL is written as %XX (RFC 3986). Without a port it is 1080 for SOCKS and 3128 for HTTP; without
    /// "...://" it is HTTP. Nothing for any other text, one with another scheme among them. Thread-safe.
    [[nodiscard]] static std::optional<NetworkProxy> parse(std::string_view url);
    /// The URL, without user and password; "" for Default and None. Thread-safe.
    [[nodiscard]] std::string toString() const;

    /// What Default means from now on, for all threads; for connections and listeners that begin after that. It takes
    /// the place of a selector. Thread-safe.
    static void setApplicationProxy(const NetworkProxy& proxy);
    /// Of type None until one is set, and while there is a selector. Thread-safe.
    static NetworkProxy applicationProxy();

    /// Who is asked what Default means, from now on, instead of an application's proxy; an empty one takes that back.
    /// It is called on the threads of sockets and servers, and must be able to. Never about loopback addresses and
    /// "localhost". Thread-safe.
    static void setApplicationSelector(ProxySelector selector);

    /// A selector that does what the environment says now: HTTPS_PROXY, then ALL_PROXY, each a URL as parse() reads it,
    /// and NO_PROXY, the targets to be reached directly: names with all below them ("example.org", ".example.org"),
    /// addresses and subnets ("192.0.2.0/24"), each with a port or for all, separated by commas or spaces, or "*" for
    /// all. A variable in lower case counts before the same one in upper case. A proxy that cannot be spoken to is
    /// logged, without its value; what would go by it fails with ProxyNotFound, rather than going directly.
    /// Thread-safe as long as nobody changes the environment.
    [[nodiscard]] static ProxySelector fromEnvironment();

    /// @details Whether all parts are.
    friend bool operator==(const NetworkProxy&, const NetworkProxy&) = default;
};

} // namespace halyard
