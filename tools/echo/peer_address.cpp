#include "peer_address.h"

#include "listen_address.h"

#include <halyard/net/local_socket.h>
#include <halyard/net/tcp_socket.h>

namespace echo {

using halyard::LocalSocket;
using halyard::TcpSocket;

std::optional<PeerAddress> parsePeerAddress(const std::string& text) {
    if (const auto address = parseListenAddress(text)) {
        using Kind = ListenAddress::Kind;
        if (address->kind == Kind::Unix)
            return PeerAddress{text, address->path, {}, 0};
        if (address->kind != Kind::Tcp || address->endpoint.address == halyard::HostAddress(halyard::HostAddress::Any))
            return std::nullopt;
        return PeerAddress{
            address->endpoint.toString(), {}, address->endpoint.address.toString(), address->endpoint.port};
    }
    // A name, which no address is; its port is read as one of any address.
    const std::size_t colon = text.find(':');
    const auto port = colon != std::string::npos ? parseEndpointOrPort(text.substr(colon + 1)) : std::nullopt;
    if (colon == 0 || !port || text.find_first_of(":[]/%* ", colon + 1) != std::string::npos ||
        text.find_first_of("[]/%* ") != std::string::npos || text.find_first_not_of("0123456789.") >= colon)
        return std::nullopt;
    return PeerAddress{text, {}, text.substr(0, colon), port->port};
}

std::unique_ptr<halyard::StreamSocket> makeSocketFor(const PeerAddress& peer) {
    if (!peer.path.empty())
        return std::make_unique<LocalSocket>();
    return std::make_unique<TcpSocket>();
}

void startConnecting(halyard::StreamSocket& socket, const PeerAddress& peer) {
    if (!peer.path.empty()) {
        static_cast<LocalSocket&>(socket).connectToServer(peer.path);
        return;
    }
    auto& connection = static_cast<TcpSocket&>(socket);
    if (peer.proxy)
        connection.setProxy(*peer.proxy);
    connection.connectToHost(peer.host, peer.port);
}

} // namespace echo
