#include <halyard/net/tcp_server.h>

#include "native_engine.h"
#include "proxy_choice.h"

#include <halyard/core/spare_memory.h>

#include <memory>

namespace halyard {

namespace {

class AcceptedSocket final : public TcpSocket, public SpareMemory<AcceptedSocket> {
  public:
    using TcpSocket::TcpSocket;
};

} // namespace

TcpServer::TcpServer(Object* parent) : StreamServer(parent) {}

TcpServer::~TcpServer() { close(); }

bool TcpServer::listen(const HostAddress& address, std::uint16_t port) {
    if (!isFree("TcpServer::listen()"))
        return false;
    local_ = {address.isNull() ? HostAddress(HostAddress::AnyIPv4) : address, port};
    if (!local_.address.isLoopback() && isProxied(proxy_.type, false)) {
        setError(SocketError::UnsupportedSocketOperation,
                 "cannot listen at " + local_.toString() + " by a proxy: this version has no proxies");
        return false;
    }
    auto engine = std::make_unique<NativeEngine>(engineClient());
    const int result = engine->listenAt(local_, listenBacklogSize(), reusePort_);
    if (result == 0)
        local_.port = engine->local().port;
    return start(std::move(engine), result);
}

bool TcpServer::adopts(const sockaddr& name, std::size_t) {
    local_ = {HostAddress(&name), HostAddress::portOf(&name)};
    return !local_.address.isNull();
}

HostAddress TcpServer::serverAddress() const { return isListening() ? local_.address : HostAddress(); }

std::uint16_t TcpServer::serverPort() const { return isListening() ? local_.port : std::uint16_t{0}; }

void TcpServer::incomingConnection(int socketDescriptor) {
    addConnection(socketDescriptor, incomingPeer(socketDescriptor));
}

void TcpServer::addConnection(int socketDescriptor, const Endpoint& peer) {
    TcpSocket* const socket = new AcceptedSocket(this);
    socket->beginAccepted(socketDescriptor, peer);
    addPendingConnection(socket);
}

TcpSocket* TcpServer::nextPendingConnection() { return static_cast<TcpSocket*>(StreamServer::nextPendingConnection()); }

} // namespace halyard
