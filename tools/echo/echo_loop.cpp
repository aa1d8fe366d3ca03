#include "echo_loop.h"

#include "journal.h"
#include "session.h"

#include <halyard/net/local_server.h>
#include <halyard/net/proxy_protocol_server.h>

#include <algorithm>

#include <sys/socket.h>
#include <unistd.h>

namespace echo {

namespace {

using namespace std::chrono_literals;
using halyard::Drain;
using halyard::LocalServer;
using halyard::LocalSocket;
using halyard::ProxyProtocolServer;
using halyard::SocketError;
using halyard::StreamServer;
using halyard::StreamSocket;
using halyard::TcpServer;
using halyard::TcpSocket;
using Kind = ListenAddress::Kind;

constexpr auto heartbeat = 250ms;

int familyOf(int descriptor) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    return ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) == 0 ? name.ss_family : AF_UNSPEC;
}

/// How people call a client.
std::string nameOf(const StreamSocket& client) {
    if (const auto* const tcp = dynamic_cast<const TcpSocket*>(&client))
        return halyard::Endpoint{tcp->peerAddress(), tcp->peerPort()}.toString();
    const auto credentials = static_cast<const LocalSocket&>(client).peerCredentials();
    return "process " + (credentials ? std::to_string(credentials->process) : std::string("unknown"));
}

} // namespace

std::string nameOf(const StreamServer& server) {
    if (const auto* const tcp = dynamic_cast<const TcpServer*>(&server))
        return halyard::Endpoint{tcp->serverAddress(), tcp->serverPort()}.toString();
    return "unix:" + static_cast<const LocalServer&>(server).serverName();
}

EchoLoop::EchoLoop(const ServeOptions& options, Journal& journal, LoopMetrics& metrics)
    : options_(options),
      journal_(journal),
      metrics_(metrics),
      drain_(new Drain(this)),
      heart_(new halyard::Timer(this)),
      maxClients_((options.maxClients + static_cast<std::size_t>(options.threads) - 1) /
                  static_cast<std::size_t>(options.threads)) {
    drain_->finished.connect(this, [this] { drained(); });
    heart_->timeout.connect(this, &EchoLoop::beat);
    if (options.metrics) { // nobody else would look at its pulse
        nextBeat_ = std::chrono::steady_clock::now() + heartbeat;
        heart_->start(heartbeat);
    }
}

bool EchoLoop::listen(const ListenAddress& address, const halyard::Endpoint& at) {
    if (address.kind == Kind::Unix) {
        auto* const server = new LocalServer(this);
        return keep(server, server->listen(address.path), address);
    }
    TcpServer* const server = makeTcpServer();
    server->setReusePort(options_.threads > 1);
    return keep(server, server->listen(at.address, at.port), address);
}

bool EchoLoop::adopt(int descriptor, const ListenAddress& address) {
    StreamServer* server = nullptr;
    if (familyOf(descriptor) == AF_UNIX)
        server = new LocalServer(this);
    else
        server = makeTcpServer();
    const bool listens = server->setSocketDescriptor(descriptor);
    if (!listens)
        ::close(descriptor);
    return keep(server, listens, address);
}

TcpServer* EchoLoop::makeTcpServer() {
    if (options_.trusted.empty())
        return new TcpServer(this);
    auto* const server = new ProxyProtocolServer(this);
    for (const auto& [network, length] : options_.trusted)
        server->trust(network, length);
    server->setHeaderTimeout(options_.headerTimeout);
    server->headerAwaited.connect(drain_, [this](Object* arrival) { drain_->waitFor(*arrival); });
    server->clientRefused.connect(this, [this](const halyard::Endpoint&, const std::string& sentence) {
        LoopMetrics::add(metrics_.refusedClients);
        journal_.warn(sentence);
    });
    return server;
}

bool EchoLoop::keep(StreamServer* server, bool listens, const ListenAddress& address) {
    if (!listens) {
        error_ = server->errorString();
        delete server;
        return false;
    }
    server->newConnection.connect(this, [this, server] { take(*server); });
    server->acceptError.connect(this, [this, server](SocketError) {
        LoopMetrics::add(metrics_.acceptErrors);
        journal_.warn(server->errorString());
    });
    drain_->add(*server);
    listeners_.push_back({&address, server});
    return true;
}

bool EchoLoop::isFull() const noexcept {
    return maxClients_ != 0 && metrics_.openConnections.load(std::memory_order_relaxed) >= maxClients_;
}

void EchoLoop::take(StreamServer& server) {
    while (StreamSocket* const client = server.nextPendingConnection()) {
        client->setReadTimeout(options_.idleTimeout);
        client->setWriteTimeout(options_.writeTimeout);
        auto* const session = new Session(*client, nameOf(*client), options_.maxQueued, journal_, metrics_);
        session->destroyed.connect(this, &EchoLoop::clientGone);
        client->disconnected.connect(client, &Object::deleteLater);
        drain_->add(*client);
    }
    if (!isFull() || paused_)
        return;
    paused_ = true;
    LoopMetrics::add(metrics_.fullPauses);
    for (const Listener& each : listeners_)
        each.server->pauseAccepting();
}

void EchoLoop::clientGone() {
    if (!paused_ || isFull())
        return;
    paused_ = false;
    for (const Listener& each : listeners_)
        each.server->resumeAccepting();
}

void EchoLoop::beat() {
    const auto now = std::chrono::steady_clock::now();
    const auto late = std::max(now - nextBeat_, std::chrono::steady_clock::duration(0));
    nextBeat_ = now + heartbeat;
    metrics_.lagNanoseconds.store(static_cast<std::uint64_t>(std::chrono::nanoseconds(late).count()),
                                  std::memory_order_relaxed);
}

void EchoLoop::drain(std::chrono::milliseconds grace) { drain_->start(grace); }

void EchoLoop::letGo() {
    for (const Listener& each : listeners_)
        if (const int descriptor = each.server->releaseDescriptor(); descriptor >= 0)
            ::close(descriptor);
}

} // namespace echo
