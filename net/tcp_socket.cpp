#include <halyard/net/tcp_socket.h>

#include "socket_engine.h"
#include "socket_options.h"

#include <halyard/core/log.h>

namespace halyard {

TcpSocket::TcpSocket(Object* parent) : StreamSocket(parent) {}

TcpSocket::~TcpSocket() = default;

void TcpSocket::connectToHost(const HostAddress& address, std::uint16_t port) {
    if (!isFree("connectToHost() of a socket", true))
        return;
    begin();
    peer_ = {address, port};
    peerName_ = address.toString();
    const Still still(*this);
    setState(SocketState::HostLookup);
    if (!still || state() != SocketState::HostLookup)
        return;
    int error = engine()->openFor(address);
    if (error == 0) {
        applyOptions();
        error = engine()->connectTo(peer_);
    }
    connecting(error);
    if (still && state() == SocketState::Connecting)
        hostFound();
}

bool TcpSocket::bind(const HostAddress& address, std::uint16_t port) {
    if (!isFree("bind() of a socket", false))
        return false;
    begin();
    peer_ = {address, port};
    if (const int error = engine()->bindTo(peer_); error != 0) {
        fail(Failure::What::Bind, socketErrorFromErrno(error), error);
        return false;
    }
    applyOptions();
    setState(SocketState::Bound);
    return true;
}

void TcpSocket::setSocketOption(SocketOption option, int value) {
    if (!isOnItsThread("setSocketOption() of a socket"))
        return;
    if (options_ == nullptr)
        options_ = std::make_unique<SocketOptions>();
    options_->remember(option, value);
    if (isValid())
        reportOption(SocketOptions::setAt(socketDescriptor(), option, value));
}

void TcpSocket::applyOptions() {
    if (options_ != nullptr)
        reportOption(options_->applyTo(socketDescriptor()));
}

void TcpSocket::reportOption(int error) {
    if (error == 0)
        return;
    setFailure(Failure::What::Option, SocketError::UnsupportedSocketOperation, error);
    logMessage(LogLevel::Warning, "halyard.net", "setSocketOption() of a socket: " + errorString());
}

std::optional<int> TcpSocket::socketOption(SocketOption option) const {
    if (isValid())
        return SocketOptions::at(socketDescriptor(), option);
    return options_ != nullptr ? options_->remembered(option) : std::nullopt;
}

void TcpSocket::adopted(const sockaddr& name) {
    peer_ = {HostAddress(&name), HostAddress::portOf(&name)};
    peerName_.clear();
    applyOptions();
}

void TcpSocket::beginAccepted(int descriptor, const Endpoint& peer) {
    StreamSocket::beginAccepted(descriptor);
    peer_ = peer;
}

HostAddress TcpSocket::localAddress() const { return isValid() ? engine()->local().address : HostAddress(); }

std::uint16_t TcpSocket::localPort() const { return isValid() ? engine()->local().port : std::uint16_t{0}; }

HostAddress TcpSocket::peerAddress() const { return hasPeer() ? peer_.address : HostAddress(); }

std::uint16_t TcpSocket::peerPort() const { return hasPeer() ? peer_.port : std::uint16_t{0}; }

} // namespace halyard
