#include <halyard/net/tcp_socket.h>

#include "socket_engine.h"

namespace halyard {

TcpSocket::TcpSocket(Object* parent) : StreamSocket(parent) {}

void TcpSocket::connectToHost(const HostAddress& address, std::uint16_t port) {
    if (!mayConnect())
        return;
    begin();
    peer_ = {address, port};
    const Still still(*this);
    setState(SocketState::HostLookup);
    if (!still || state() != SocketState::HostLookup)
        return;
    connecting(engine()->connectTo(peer_));
    if (still && state() == SocketState::Connecting)
        hostFound();
}

void TcpSocket::peerFound(const sockaddr& name) { peer_ = {HostAddress(&name), HostAddress::portOf(&name)}; }

void TcpSocket::beginAccepted(int descriptor, const Endpoint& peer) {
    StreamSocket::beginAccepted(descriptor);
    peer_ = peer;
}

HostAddress TcpSocket::localAddress() const { return isValid() ? engine()->local().address : HostAddress(); }

std::uint16_t TcpSocket::localPort() const { return isValid() ? engine()->local().port : std::uint16_t{0}; }

HostAddress TcpSocket::peerAddress() const { return hasPeer() ? peer_.address : HostAddress(); }

std::uint16_t TcpSocket::peerPort() const { return hasPeer() ? peer_.port : std::uint16_t{0}; }

} // namespace halyard
