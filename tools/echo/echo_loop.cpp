#include "echo_loop.h"

#include "journal.h"
#include "session.h"

#include <halyard/net/local_server.h>
#include <halyard/net/proxy_protocol_server.h>

#include <algorithm>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace echo {

namespace {

using namespace std::chrono_literals;
using halyard::ConnectionLimits;
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
std::string nameOfClient(const StreamSocket& client) {
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

EchoLoop::EchoLoop(const ServeOptions& options, std::shared_ptr<ConnectionLimits> limits, Journal& journal,
                   LoopMetrics& metrics)
    : options_(options),
      limits_(std::move(limits)),
      journal_(journal),
      metrics_(metrics),
      drain_(new Drain(this)),
      heart_(new halyard::Timer(this)) {
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
    TcpServer* server = nullptr;
    if (options_.trusted.empty()) {
        server = new TcpServer(this);
    } else {
        auto* const balanced = new ProxyProtocolServer(this);
        for (const auto& [network, length] : options_.trusted)
            balanced->trust(network, length);
        balanced->setHeaderTimeout(options_.headerTimeout);
        balanced->headerAwaited.connect(drain_, [this](Object* arrival) {
            drain_->waitFor(*arrival);
            noteFull();
        });
        server = balanced;
    }
    server->clientRefused.connect(this, [this](const halyard::Endpoint&, const std::string& sentence) {
        LoopMetrics::add(metrics_.refusedClients);
        warn(refusals_, sentence);
    });
    return server;
}

/// For what clients can cause at will: a flood shall not fill a disk.
void EchoLoop::warn(halyard::LogThrottle& throttle, const std::string& sentence) {
    if (const auto heldBack = throttle.pass())
        journal_.warn(sentence + halyard::LogThrottle::text(*heldBack));
}

bool EchoLoop::keep(StreamServer* server, bool listens, const ListenAddress& address) {
    if (!listens) {
        error_ = server->errorString();
        delete server;
        return false;
    }
    server->setLimits(limits_);
    server->newConnection.connect(this, [this, server] { take(*server); });
    // It comes again there for each header, when nobody was accepted.
    if (dynamic_cast<ProxyProtocolServer*>(server) == nullptr)
        server->newConnection.connect(this, &EchoLoop::noteFull);
    server->acceptError.connect(this, [this, server](SocketError) {
        LoopMetrics::add(metrics_.acceptErrors);
        warn(acceptErrors_, server->errorString());
    });
    drain_->add(*server);
    listeners_.push_back({&address, server});
    return true;
}

void EchoLoop::take(StreamServer& server) {
    while (StreamSocket* const client = server.nextPendingConnection()) {
        client->setReadTimeout(options_.idleTimeout);
        client->setWriteTimeout(options_.writeTimeout);
        new Session(*client, nameOfClient(*client), options_.maxQueued, journal_, metrics_);
        client->disconnected.connect(client, &Object::deleteLater);
        drain_->add(*client);
    }
}

/// For each client that was accepted: the last that may be is where accepting pauses.
void EchoLoop::noteFull() {
    if (options_.maxClients != 0 && limits_->connections() >= options_.maxClients)
        LoopMetrics::add(metrics_.fullPauses);
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
