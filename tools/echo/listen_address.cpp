#include "listen_address.h"

#include <charconv>
#include <string_view>
#include <system_error>

namespace echo {

namespace {

std::optional<int> parseDescriptor(std::string_view text) {
    int number = -1;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size() || number < 0)
        return std::nullopt;
    return number;
}

} // namespace

std::optional<halyard::Endpoint> parseEndpointOrPort(const std::string& text) {
    if (const auto endpoint = halyard::parseEndpoint(text))
        return endpoint;
    return halyard::parseEndpoint("127.0.0.1:" + text);
}

std::optional<ListenAddress> parseListenAddress(const std::string& text) {
    using Kind = ListenAddress::Kind;
    constexpr std::string_view unixPrefix = "unix:";
    constexpr std::string_view descriptorPrefix = "fd:";
    if (text == "systemd")
        return ListenAddress{text, Kind::Systemd};
    if (text.starts_with(unixPrefix) && text.size() > unixPrefix.size())
        return ListenAddress{text, Kind::Unix, {}, text.substr(unixPrefix.size())};
    if (text.starts_with(descriptorPrefix)) {
        if (const auto number = parseDescriptor(std::string_view(text).substr(descriptorPrefix.size())))
            return ListenAddress{text, Kind::Descriptor, {}, {}, *number};
        return std::nullopt;
    }
    if (const auto endpoint = parseEndpointOrPort(text))
        return ListenAddress{text, Kind::Tcp, *endpoint};
    return std::nullopt;
}

} // namespace echo
