#include <halyard/net/host_address.h>

#include "words.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace halyard {

namespace {

constexpr std::array<std::uint8_t, 12> mappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// A name goes before a number, as toString() prefers names and an interface may be called "5".
std::optional<std::uint32_t> parseScopeId(std::string_view text) {
    if (text.size() < IF_NAMESIZE) {
        if (const unsigned index = if_nametoindex(std::string(text).c_str()); index != 0)
            return index;
    }
    return parseDecimal<std::uint32_t>(text);
}

std::optional<int> parseNetmask(std::string_view text) {
    const std::optional<HostAddress> mask = HostAddress::parse(text);
    if (!mask || mask->protocol() != HostAddress::Protocol::IPv4)
        return std::nullopt;
    const std::uint32_t bits = *mask->toIPv4();
    const int length = std::countl_one(bits);
    if (length != std::popcount(bits))
        return std::nullopt;
    return length;
}

/// How many bits an address of this family has; −1 if no subnet can hold it.
constexpr int addressBits(HostAddress::Protocol protocol) noexcept {
    switch (protocol) {
    case HostAddress::Protocol::IPv4:
        return 32;
    case HostAddress::Protocol::IPv6:
        return 128;
    case HostAddress::Protocol::Unknown:
    case HostAddress::Protocol::Any:
        break;
    }
    return -1;
}

/// Reads a sockaddr of a known family without assuming its alignment.
template <class T>
T load(const sockaddr* address) noexcept {
    T result;
    std::memcpy(&result, address, sizeof result);
    return result;
}

template <class T>
std::size_t store(sockaddr_storage& storage, const T& address) noexcept {
    std::memcpy(&storage, &address, sizeof address);
    return sizeof address;
}

} // namespace

HostAddress::HostAddress(std::string_view text) : HostAddress(parse(text).value_or(HostAddress())) {}

HostAddress::HostAddress(const sockaddr* address) noexcept {
    if (!address)
        return;
    if (address->sa_family == AF_INET) {
        *this = HostAddress(std::uint32_t{ntohl(load<sockaddr_in>(address).sin_addr.s_addr)});
    } else if (address->sa_family == AF_INET6) {
        const auto in6 = load<sockaddr_in6>(address);
        *this = HostAddress(in6.sin6_addr.s6_addr, in6.sin6_scope_id);
    }
}

std::optional<HostAddress> HostAddress::parse(std::string_view text) {
    const std::size_t percent = text.find('%');
    const bool hasScope = percent != std::string_view::npos;
    const std::string_view digits = text.substr(0, percent);
    if (digits.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    digits.copy(terminated.data(), digits.size());

    if (in_addr in{}; !hasScope && inet_pton(AF_INET, terminated.data(), &in) == 1)
        return HostAddress(std::uint32_t{ntohl(in.s_addr)});

    in6_addr in6{};
    if (inet_pton(AF_INET6, terminated.data(), &in6) != 1)
        return std::nullopt;
    const auto scopeId = hasScope ? parseScopeId(text.substr(percent + 1)) : std::uint32_t{0};
    if (!scopeId)
        return std::nullopt;
    return HostAddress(in6.s6_addr, *scopeId);
}

std::optional<std::pair<HostAddress, int>> HostAddress::parseSubnet(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::optional<HostAddress> address = parse(text.substr(0, slash));
    if (!address)
        return std::nullopt;
    const int bits = addressBits(address->protocol());
    if (slash == std::string_view::npos)
        return std::pair(*address, bits);

    const std::string_view suffix = text.substr(slash + 1);
    if (const auto length = parseDecimal<std::uint32_t>(suffix)) {
        if (*length > static_cast<std::uint32_t>(bits))
            return std::nullopt;
        return std::pair(*address, static_cast<int>(*length));
    }
    if (address->protocol() != Protocol::IPv4)
        return std::nullopt;
    if (const auto length = parseNetmask(suffix))
        return std::pair(*address, *length);
    return std::nullopt;
}

std::string HostAddress::toString() const {
    if (isNull())
        return {};
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (protocol_ == Protocol::IPv6)
        inet_ntop(AF_INET6, bytes_.data(), buffer.data(), buffer.size());
    else
        inet_ntop(AF_INET, &bytes_[mappedPrefix.size()], buffer.data(), buffer.size());
    std::string text = buffer.data();
    if (scopeId_ != 0) {
        std::array<char, IF_NAMESIZE> name{};
        text += '%';
        text += if_indextoname(scopeId_, name.data()) ? name.data() : std::to_string(scopeId_);
    }
    return text;
}

bool HostAddress::isUnspecified() const noexcept {
    if (const auto ipv4 = toIPv4())
        return *ipv4 == 0;
    return !isNull() && std::ranges::all_of(bytes_, [](std::uint8_t byte) { return byte == 0; });
}

bool HostAddress::isLoopback() const noexcept {
    if (const auto ipv4 = toIPv4())
        return *ipv4 >> 24 == 127;
    return bytes_ == HostAddress(LocalHostIPv6).bytes_;
}

bool HostAddress::isMulticast() const noexcept {
    if (const auto ipv4 = toIPv4())
        return *ipv4 >> 28 == 0xe;
    return bytes_[0] == 0xff;
}

bool HostAddress::isLinkLocal() const noexcept {
    if (const auto ipv4 = toIPv4())
        return *ipv4 >> 16 == 0xa9fe;
    return bytes_[0] == 0xfe && bytes_[1] >> 6 == 2;
}

bool HostAddress::isInSubnet(const HostAddress& network, int length) const noexcept {
    const int bits = addressBits(protocol_);
    if (protocol_ != network.protocol_ || length < 0 || length > bits)
        return false;
    if (network.scopeId_ != 0 && network.scopeId_ != scopeId_)
        return false;
    const int shared = 128 - bits + length; // of the mapped form
    const auto prefix = static_cast<std::size_t>(shared);
    const std::size_t whole = prefix / 8;
    if (!std::equal(bytes_.data(), bytes_.data() + whole, network.bytes_.data()))
        return false;
    return prefix % 8 == 0 || (bytes_[whole] ^ network.bytes_[whole]) >> (8 - prefix % 8) == 0;
}

void HostAddress::setScopeId(std::uint32_t scopeId) noexcept {
    if (protocol_ == Protocol::IPv6)
        scopeId_ = scopeId;
}

std::optional<std::uint32_t> HostAddress::toIPv4() const noexcept {
    if (!std::equal(mappedPrefix.begin(), mappedPrefix.end(), bytes_.begin()))
        return std::nullopt;
    return std::uint32_t{bytes_[12]} << 24 | std::uint32_t{bytes_[13]} << 16 | std::uint32_t{bytes_[14]} << 8 |
           bytes_[15];
}

std::size_t HostAddress::toSockaddr(sockaddr_storage& storage, std::uint16_t port) const noexcept {
    if (isNull())
        return 0;
    if (protocol_ == Protocol::IPv4) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, &bytes_[mappedPrefix.size()], sizeof in.sin_addr);
        return store(storage, in);
    }
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(&in6.sin6_addr, bytes_.data(), sizeof in6.sin6_addr);
    in6.sin6_scope_id = scopeId_;
    return store(storage, in6);
}

std::uint16_t HostAddress::portOf(const sockaddr* address) noexcept {
    if (address && address->sa_family == AF_INET)
        return ntohs(load<sockaddr_in>(address).sin_port);
    if (address && address->sa_family == AF_INET6)
        return ntohs(load<sockaddr_in6>(address).sin6_port);
    return 0;
}

} // namespace halyard

std::size_t std::hash<halyard::HostAddress>::operator()(const halyard::HostAddress& address) const noexcept {
    const auto bytes = address.toIPv6();
    const std::uint32_t scopeId = address.scopeId();
    std::array<char, sizeof bytes + sizeof scopeId + 1> key{};
    std::memcpy(key.data(), bytes.data(), sizeof bytes);
    std::memcpy(key.data() + sizeof bytes, &scopeId, sizeof scopeId);
    key.back() = static_cast<char>(address.protocol());
    return std::hash<std::string_view>{}({key.data(), key.size()});
}
