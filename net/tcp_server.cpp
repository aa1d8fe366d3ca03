#include <halyard/net/tcp_server.h>

#include "native_engine.h"
#include "proxy_choice.h"
#include "proxy_listener.h"
#include "unclaimed_descriptor.h"

#include <halyard/signals/spare_memory.h>

#include <memory>
#include <utility>

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
    by_.clear();
    if (!local_.address.isLoopback() && mayBeProxied(proxy_.type, false)) {
        const auto proxy = chooseProxy(proxy_, {ProxyQuery::Kind::Listen, local_.address.toString(), port}, false);
        if (!proxy) {
            setError(SocketError::UnsupportedSocketOperation,
                     "cannot listen at " + local_.toString() + ": no proxy that applies can listen");
            return false;
        }
        if (proxy->type != NetworkProxy::None)
            return listenBy(*proxy);
    }
    auto engine = std::make_unique<NativeEngine>(engineClient());
    const int result = engine->listenAt(local_, listenBacklogSize(), reusePort_);
    if (result == 0)
        local_.port = engine->local().port;
    return start(std::move(engine), result);
}

bool TcpServer::listenBy(const NetworkProxy& proxy) {
    by_ = proxy.toString();
    auto engine = std::make_unique<ProxyListener>(engineClient(), proxy, local_, proxyTimeout_,
                                                  rebind_ ? ProxyListener::Clients::OneAfterTheOther
                                                          : ProxyListener::Clients::One);
    const int result = engine->listenAt(local_, listenBacklogSize(), reusePort_);
    return start(std::move(engine), result);
}

std::string TcpServer::localText() const {
    return by_.empty() ? local_.toString() : local_.toString() + " by the proxy " + by_;
}

Endpoint TcpServer::local() const {
    if (!isListening())
        return {};
    return by_.empty() ? local_ : engine()->local();
}

bool TcpServer::adopts(const sockaddr& name, std::size_t) {
    local_ = {HostAddress(&name), HostAddress::portOf(&name)};
    by_.clear();
    return !local_.address.isNull();
}

HostAddress TcpServer::serverAddress() const { return local().address; }

std::uint16_t TcpServer::serverPort() const { return local().port; }

void TcpServer::incomingConnection(int socketDescriptor) {
    addConnection(socketDescriptor, incomingPeer(socketDescriptor));
}

void TcpServer::addConnection(int socketDescriptor, const Endpoint& peer) {
    UnclaimedDescriptor unclaimed(socketDescriptor);
    auto socket = std::make_unique<AcceptedSocket>(this);
    socket->beginAccepted(socketDescriptor, peer);
    unclaimed.claimed();
    queueAccepted(std::move(socket));
}

void TcpServer::refused(const Endpoint& peer) {
    tellOfRefusal(peer, "its network has as many connections as one may have");
}

void TcpServer::tellOfRefusal(const Endpoint& peer, const std::string& why) {
    const auto heldBack = refusals_.pass();
    if (!heldBack && clientRefused.connectionCount() == 0)
        return;
    const std::string sentence = "a client from " + peer.toString() + " is turned away: " + why;
    if (heldBack)
        logMessage(LogLevel::Warning, "halyard.net", sentence + LogThrottle::text(*heldBack));
    clientRefused(peer, sentence);
}

TcpSocket* TcpServer::nextPendingConnection() { return static_cast<TcpSocket*>(StreamServer::nextPendingConnection()); }

} // namespace halyard
