#pragma once

#include <halyard/net/network_proxy.h>
#include <halyard/net/stream_socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace echo {

/// Whom a client connects to, as a user writes it: 127.0.0.1:7007, [fe80::1%eth0]:7007, example.org:7007, 7007 or
/// unix:PATH.
struct PeerAddress {
    std::string text; ///< as it was written, for people
    std::string path; ///< "" for TCP
    std::string host;
    std::uint16_t port = 0;
    std::optional<halyard::NetworkProxy> proxy{}; ///< by which it goes, if by any; TCP alone
};

std::optional<PeerAddress> parsePeerAddress(const std::string& text);

/// A socket of the kind that it takes, and the start of its connecting.
std::unique_ptr<halyard::StreamSocket> makeSocketFor(const PeerAddress& peer);
void startConnecting(halyard::StreamSocket& socket, const PeerAddress& peer);

} // namespace echo
