#include <halyard/net/tcp_socket.h>

#include "emissions.h"
#include "engine_failure.h"
#include "host_engine.h"
#include "host_name.h"
#include "proxy_choice.h"
#include "proxy_engine.h"
#include "socket_engine.h"
#include "socket_options.h"

#include <halyard/core/log.h>

#include <cerrno>
#include <new>
#include <utility>

namespace halyard {

namespace {

/// Sets the options of a descriptor before it connects. What cannot be set is told when they are set again, for the
/// one that has connected.
ConnectionRace::Prepare preparationBy(const SocketOptions* options) {
    if (options == nullptr)
        return {};
    return [options = *options](int descriptor, const Endpoint&) {
        options.applyTo(descriptor);
        return 0;
    };
}

} // namespace

TcpSocket::TcpSocket(Object* parent) : StreamSocket(parent) {}

TcpSocket::~TcpSocket() = default;

TcpSocket::Details& TcpSocket::details() {
    if (details_ == nullptr)
        details_ = std::make_unique<Details>();
    return *details_;
}

void TcpSocket::setPeerText(std::string text) { details().peerText = std::move(text); }

void TcpSocket::setConnectionAttemptDelay(std::chrono::milliseconds delay) { details().attemptDelay = delay; }

void TcpSocket::connectToHost(const HostAddress& address, std::uint16_t port) {
    connectTo({address, port}, address.toString());
}

void TcpSocket::setPeer(const Endpoint& peer, std::string name) {
    peer_ = peer;
    if (details_ == nullptr && name.empty())
        return;
    details().peerName = std::move(name);
    details_->peerText.clear();
}

void TcpSocket::setProxy(const NetworkProxy& proxy) { details().proxy = proxy; }

/// Whether it goes by a proxy, by whose engine it has begun then.
bool TcpSocket::beginByProxy(bool toLoopback) {
    if (!mayBeProxied(details().proxy.type, toLoopback))
        return false;
    // There is one: whatever they are, they can connect.
    const NetworkProxy proxy =
        chooseProxy(details_->proxy, {ProxyQuery::Kind::Connect, details_->peerName, peer_.port}, toLoopback).value();
    if (proxy.type == NetworkProxy::None)
        return false;
    setPeerText(peerText() + " by the proxy " + proxy.toString());
    auto made = std::make_unique<ProxyEngine>(engineClient(), proxy, details_->peerName, peer_.port,
                                              details_->attemptDelay, preparationBy(options()));
    if (state() == SocketState::Bound)
        made->adopt(engine()->release());
    begin(std::move(made));
    beginConnecting();
    return true;
}

/// Nothing but the system calls of one connection: an address needs no lookup and no race.
void TcpSocket::connectTo(const Endpoint& peer, std::string name) {
    if (!isFree("connectToHost() of a socket", true))
        return;
    setPeer(peer, std::move(name));
    if (beginByProxy(peer_.address.isLoopback()))
        return;
    begin();
    beginConnecting();
}

/// Where it is known what to connect to.
void TcpSocket::beginConnecting() {
    const Still still(*this);
    try {
        setState(SocketState::HostLookup);
    } catch (...) {
        if (still && engine() != nullptr)
            engine()->schedule(); // lookedUp() then goes on
        throw;
    }
    if (still && state() == SocketState::HostLookup)
        connectNow();
}

void TcpSocket::connectNow() {
    int error = engine()->openFor(peer_.address);
    if (error == 0) {
        if (isValid())
            applyOptions();
        error = engine()->connectTo(peer_);
    }
    const Still still(*this);
    Emissions emissions;
    emissions.make([&] { connecting(error); });
    if (still && state() == SocketState::Connecting && !peer_.address.isNull())
        emissions.make([&] { hostFound(); }); // else the proxy has to find it
    emissions.end();
}

void TcpSocket::connectToHost(const std::string& host, std::uint16_t port) {
    if (const auto address = HostAddress::parse(host)) {
        connectTo({*address, port}, host);
        return;
    }
    if (!isFree("connectToHost() of a socket", true))
        return;
    setPeer({HostAddress(), port}, host);
    if (beginByProxy(host == "localhost"))
        return;
    std::string name = host;
    ConnectionRace::Prepare prepare = preparationBy(options());
    auto made = std::make_unique<HostEngine>(engineClient());
    HostEngine& hostEngine = *made;
    if (state() == SocketState::Bound)
        hostEngine.adopt(engine()->release());
    begin(std::move(made));
    hostEngine.start(std::move(name), port, connectionAttemptDelay(),
                     std::move(prepare)); // before a slot may wait for what comes of it
    setState(SocketState::HostLookup);
}

void TcpSocket::lookedUp() {
    auto* const hostEngine = dynamic_cast<HostEngine*>(engine());
    if (hostEngine == nullptr) {
        connectNow();
        return;
    }
    if (!hostEngine->lookup().isFinished() && hostEngine->finishConnect() == EINPROGRESS)
        return;
    if (SocketError error = hostEngine->lookup().error(); error != SocketError::None) {
        try {
            setPeerText(hostEngine->lookup().errorString());
        } catch (const std::bad_alloc&) { // and none for the words
            failConnecting(Failure::What::Connect, SocketError::SocketResource, ENOMEM);
            return;
        }
        if (error == SocketError::Temporary) // for whoever wants to connect there is no such host now
            error = SocketError::HostNotFound;
        failConnecting(Failure::What::Lookup, error, 0);
        return;
    }
    const Still still(*this);
    Emissions emissions;
    emissions.make([&] { connecting(hostEngine->finishConnect()); });
    if (still && state() == SocketState::Connecting)
        emissions.make([&] { hostFound(); });
    emissions.end();
}

void TcpSocket::peerDecided() {
    if (details_ != nullptr && !details_->peerText.empty()) { // by a proxy
        const EngineFailure* const failure = engine()->failure();
        setPeerText(failure != nullptr ? details_->peerText + ": " + failure->reason : std::string());
    } else if (peer_.address.isNull()) {
        peer_ = engine()->peer();
    } else {
        return;
    }
    if (isValid())
        applyOptions();
}

bool TcpSocket::bind(const HostAddress& address, std::uint16_t port) {
    if (!isFree("bind() of a socket", false))
        return false;
    begin();
    setPeer({address, port}, {});
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
    if (details().options == nullptr)
        details_->options = std::make_unique<SocketOptions>();
    details_->options->remember(option, value);
    if (isValid())
        reportOption(SocketOptions::setAt(socketDescriptor(), option, value));
}

void TcpSocket::applyOptions() {
    if (options() != nullptr)
        reportOption(options()->applyTo(socketDescriptor()));
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
    return options() != nullptr ? options()->remembered(option) : std::nullopt;
}

void TcpSocket::adopted(const sockaddr& name) {
    setPeer({HostAddress(&name), HostAddress::portOf(&name)}, {});
    applyOptions();
}

std::string TcpSocket::peerText() const {
    if (details_ == nullptr)
        return peer_.toString();
    if (!details_->peerText.empty())
        return details_->peerText;
    const std::string& name = details_->peerName;
    if (name.empty() || HostAddress::parse(name))
        return peer_.toString();
    return peer_.address.isNull() ? printable(name) + ':' + std::to_string(peer_.port)
                                  : name + " at " + peer_.toString();
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
