#pragma once

#include <halyard/net/host_address.h>
#include <halyard/signals/export.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halyard {

/// Where a socket listens or connects to: an address and a port.
///
///     const auto endpoint = halyard::parseEndpoint(argv[1]);
///     if (!endpoint)
///         return usage();
///     server.listen(endpoint->address, endpoint->port);
///     std::puts(endpoint->toString().c_str());
///
/// Thread-safe: a value.
/// @since 0.1
struct Endpoint {
    HostAddress address;    ///< Whose port it is.
    std::uint16_t port = 0; ///< In host byte order.

    /// The text that parseEndpoint() reads back as the same value, "*:80" for HostAddress::Any; "" if the address is
    /// null.
    [[nodiscard]] HALYARD_API std::string toString() const;

    /// @details Whether both parts are.
    friend constexpr bool operator==(const Endpoint&, const Endpoint&) noexcept = default;
    /// @details By address, then by port.
    friend constexpr std::strong_ordering operator<=>(const Endpoint&, const Endpoint&) noexcept = default;
};

/// Reads "127.0.0.1:80", "[::1]:80" (RFC 3986 section 3.2.2: only IPv6 stands in brackets, and never without
/// them), and "*:80" or ":80" for HostAddress::Any. The address is as HostAddress::parse() has it, the port
/// decimal from 0 to 65535 without sign or leading zeros. Nothing around them, and no host names.
///
/// Thread-safe.
/// @return nothing if `text` is not such an endpoint.
/// @since 0.1
[[nodiscard]] HALYARD_API std::optional<Endpoint> parseEndpoint(std::string_view text);

} // namespace halyard
