#include <halyard/net/endpoint.h>

#include "words.h"

namespace halyard {

namespace {

std::optional<HostAddress> parseHost(std::string_view text) {
    if (text.empty() || text == "*")
        return HostAddress::Any;
    const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
    const auto address = HostAddress::parse(bracketed ? text.substr(1, text.size() - 2) : text);
    if (!address || (address->protocol() == HostAddress::Protocol::IPv6) != bracketed)
        return std::nullopt;
    return address;
}

} // namespace

std::optional<Endpoint> parseEndpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return std::nullopt;
    const auto address = parseHost(text.substr(0, colon));
    const auto port = parseDecimal<std::uint16_t>(text.substr(colon + 1));
    if (!address || !port)
        return std::nullopt;
    return Endpoint{*address, *port};
}

std::string Endpoint::toString() const {
    const std::string suffix = ':' + std::to_string(port);
    switch (address.protocol()) {
    case HostAddress::Protocol::Unknown:
        break;
    case HostAddress::Protocol::IPv4:
        return address.toString() + suffix;
    case HostAddress::Protocol::IPv6:
        return '[' + address.toString() + ']' + suffix;
    case HostAddress::Protocol::Any:
        return '*' + suffix;
    }
    return {};
}

} // namespace halyard
