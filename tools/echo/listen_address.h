#pragma once

#include <halyard/net/endpoint.h>

#include <cstdint>
#include <optional>
#include <string>

namespace echo {

/// Where a server is to listen, as an operator writes it.
struct ListenAddress {
    enum class Kind : std::uint8_t {
        Tcp,        ///< 127.0.0.1:7007, [::1]:7007, *:7007, 7007
        Unix,       ///< unix:PATH, unix:@ABSTRACT
        Descriptor, ///< fd:N
        Systemd,    ///< systemd: what the socket unit has opened
    };

    std::string text; ///< as it was written
    Kind kind = Kind::Tcp;
    halyard::Endpoint endpoint{};
    std::string path{};
    int descriptor = -1;
};

std::optional<ListenAddress> parseListenAddress(const std::string& text);

/// ADDRESS:PORT, or a PORT of 127.0.0.1.
std::optional<halyard::Endpoint> parseEndpointOrPort(const std::string& text);

} // namespace echo
