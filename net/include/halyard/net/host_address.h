#pragma once

#include <halyard/signals/export.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

struct sockaddr;
struct sockaddr_storage;

namespace halyard {

/// The IPv4 or IPv6 address of a host, without a port (Endpoint has both) and without asking any name server.
///
///     const halyard::HostAddress peer("192.168.1.7");
///     const auto subnet = halyard::HostAddress::parseSubnet("192.168.0.0/16");
///     if (!peer.isNull() && subnet && peer.isInSubnet(*subnet))
///         std::puts(peer.toString().c_str());
///     server.listen(halyard::HostAddress::LocalHost, 8080);
///
/// An IPv4 address and its IPv4-mapped IPv6 form ("::ffff:a.b.c.d", RFC 4291 section 2.5.5.2) are
/// different values; toIPv4() turns either into the same number. The questions that begin with `is` judge a mapped
/// address by the IPv4 address inside it, except isInSubnet(), which never crosses families.
///
/// Thread-safe: a value.
/// @since 0.1
class HALYARD_API HostAddress {
  public:
    /// The addresses that have a name of their own.
    enum Special {
        Null,          ///< No address at all.
        Broadcast,     ///< 255.255.255.255 (RFC 919).
        LocalHost,     ///< 127.0.0.1.
        LocalHostIPv6, ///< ::1.
        Any,           ///< Every address of both families: listen on it for a dual-stack server.
        AnyIPv4,       ///< 0.0.0.0, every IPv4 address.
        AnyIPv6,       ///< ::, every IPv6 address.
    };

    /// The family an address belongs to.
    enum class Protocol : std::uint8_t {
        Unknown, ///< The null address.
        IPv4,
        IPv6,
        Any, ///< Both: HostAddress::Any alone.
    };

    /// The null address.
    constexpr HostAddress() noexcept = default;

    /// One of the named addresses. Implicit, so that `listen(HostAddress::LocalHost)` reads as it should.
    constexpr HostAddress(Special special) noexcept;

    /// What parse() makes of `text`, or the null address if it makes nothing of it.
    explicit HostAddress(std::string_view text);

    /// The IPv4 address with this number in host byte order: 0x7f000001 is 127.0.0.1.
    constexpr explicit HostAddress(std::uint32_t ipv4) noexcept;

    /// The IPv6 address of these bytes in network order. Mapped addresses stay IPv6.
    constexpr explicit HostAddress(std::span<const std::uint8_t, 16> ipv6, std::uint32_t scopeId = 0) noexcept;

    /// The address in a `sockaddr_in` or a `sockaddr_in6`, its scope included. Null for a null pointer and
    /// for any other family. `address` must be as long as its family says.
    explicit HostAddress(const sockaddr* address) noexcept;

    /// Reads one address and nothing around it: no spaces, brackets or port.
    ///
    /// IPv4 is a dotted quad of decimal numbers without leading zeros, as inet_pton(3) has it; the shapes of
    /// inet_aton(3) ("127.1", "0x7f.0.0.1", "010.0.0.1") mean different things to different programs and do
    /// not parse. IPv6 is any form of RFC 4291 section 2.2, and may end in "%zone" (RFC 4007 section 11)
    /// whatever its scope: the name of an interface this host has, or a decimal number.
    ///
    /// @return the address, never a null one; nothing if `text` is not an address or names an unknown
    /// interface.
    [[nodiscard]] static std::optional<HostAddress> parse(std::string_view text);

    /// Reads a subnet: "ADDRESS/LENGTH" (RFC 4632 section 3.1, RFC 4291 section 2.3), "ADDRESS/NETMASK" for
    /// IPv4 with the ones of the mask before its zeros, or an ADDRESS alone, which is a subnet of one.
    ///
    /// The address comes back as written: host bits that are set stay set, and isInSubnet() ignores them.
    /// @return the address and the length in bits, or nothing for every other text.
    [[nodiscard]] static std::optional<std::pair<HostAddress, int>> parseSubnet(std::string_view text);

    /// The canonical text, which parse() reads back as the same value: a dotted quad, or RFC 5952 for IPv6,
    /// with mapped addresses as "::ffff:a.b.c.d". A scope follows as "%" and the interface's name, or its
    /// number if no interface has it. The null address gives "", and HostAddress::Any, which no text stands
    /// for, "0.0.0.0".
    [[nodiscard]] std::string toString() const;

    /// The family.
    [[nodiscard]] constexpr Protocol protocol() const noexcept { return protocol_; }

    /// Whether this is no address at all.
    [[nodiscard]] constexpr bool isNull() const noexcept { return protocol_ == Protocol::Unknown; }

    /// Whether this is HostAddress::Any, 0.0.0.0 or ::, which a socket binds to but nobody connects from.
    [[nodiscard]] bool isUnspecified() const noexcept;

    /// Whether this is in 127.0.0.0/8 (RFC 6890) or is ::1 (RFC 4291 section 2.5.3).
    [[nodiscard]] bool isLoopback() const noexcept;

    /// Whether this is in 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291 section 2.7).
    [[nodiscard]] bool isMulticast() const noexcept;

    /// Whether this is in 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291 section 2.5.6). To connect to one
    /// of the latter takes a scope id.
    [[nodiscard]] bool isLinkLocal() const noexcept;

    /// Whether the first `length` bits are those of `network`. A scope id in `network` must be this one's
    /// too. False if the families differ (a mapped address is IPv6), if either is null or HostAddress::Any,
    /// and if `length` is negative or longer than the address.
    [[nodiscard]] bool isInSubnet(const HostAddress& network, int length) const noexcept;
    /// The same for what parseSubnet() gives.
    [[nodiscard]] bool isInSubnet(const std::pair<HostAddress, int>& subnet) const noexcept {
        return isInSubnet(subnet.first, subnet.second);
    }

    /// The index of the interface that an IPv6 address belongs to (RFC 4007); 0 if none is given.
    [[nodiscard]] constexpr std::uint32_t scopeId() const noexcept { return scopeId_; }

    /// Sets the scope id of an IPv6 address. Other addresses have none, and stay as they are.
    void setScopeId(std::uint32_t scopeId) noexcept;

    /// The number, in host byte order, of an IPv4 or an IPv4-mapped address; nothing for any other.
    [[nodiscard]] std::optional<std::uint32_t> toIPv4() const noexcept;

    /// The sixteen bytes in network order: an IPv4 address in its mapped form, zeros for Null and Any.
    [[nodiscard]] constexpr std::array<std::uint8_t, 16> toIPv6() const noexcept { return bytes_; }

    /// Writes a `sockaddr_in` or a `sockaddr_in6` with this address and `port` (host byte order), ready for
    /// bind(2). HostAddress::Any gives ::, which is both families on a socket without IPV6_V6ONLY.
    /// @return the length of what was written; 0, and `storage` as it was, for the null address.
    [[nodiscard]] std::size_t toSockaddr(sockaddr_storage& storage, std::uint16_t port) const noexcept;

    /// The port, in host byte order, in a `sockaddr_in` or a `sockaddr_in6`; 0 for a null pointer and for any
    /// other family.
    [[nodiscard]] static std::uint16_t portOf(const sockaddr* address) noexcept;

    /// @details Equal in family, address and scope: Any, AnyIPv4 and AnyIPv6 differ from each other.
    friend constexpr bool operator==(const HostAddress&, const HostAddress&) noexcept = default;

    /// @details Orders by family (null, IPv4, IPv6, Any), then by number, then by scope.
    friend constexpr std::strong_ordering operator<=>(const HostAddress&, const HostAddress&) noexcept = default;

  private:
    Protocol protocol_ = Protocol::Unknown;
    std::array<std::uint8_t, 16> bytes_{}; // an IPv4 address stands here in its mapped form
    std::uint32_t scopeId_ = 0;
};

constexpr HostAddress::HostAddress(std::uint32_t ipv4) noexcept : protocol_(Protocol::IPv4) {
    bytes_[10] = bytes_[11] = 0xff;
    for (std::size_t i = 15; i > 11; --i, ipv4 >>= 8)
        bytes_[i] = static_cast<std::uint8_t>(ipv4);
}

constexpr HostAddress::HostAddress(std::span<const std::uint8_t, 16> ipv6, std::uint32_t scopeId) noexcept
    : protocol_(Protocol::IPv6), scopeId_(scopeId) {
    for (std::size_t i = 0; i < bytes_.size(); ++i)
        bytes_[i] = ipv6[i];
}

constexpr HostAddress::HostAddress(Special special) noexcept {
    switch (special) {
    case Null:
        break;
    case Broadcast:
        *this = HostAddress(std::uint32_t{0xffffffff});
        break;
    case LocalHost:
        *this = HostAddress(std::uint32_t{0x7f000001});
        break;
    case LocalHostIPv6:
        protocol_ = Protocol::IPv6;
        bytes_.back() = 1;
        break;
    case Any:
        protocol_ = Protocol::Any;
        break;
    case AnyIPv4:
        *this = HostAddress(std::uint32_t{0});
        break;
    case AnyIPv6:
        protocol_ = Protocol::IPv6;
        break;
    }
}

} // namespace halyard

/// Hashes what operator== compares.
template <>
struct std::hash<halyard::HostAddress> {
    /// Equal addresses have equal ones.
    HALYARD_API std::size_t operator()(const halyard::HostAddress& address) const noexcept;
};
