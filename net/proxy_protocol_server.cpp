#include <halyard/net/proxy_protocol_server.h>

#include "admit.h"
#include "emissions.h"
#include "unclaimed_descriptor.h"

#include <halyard/core/fd_notifier.h>
#include <halyard/core/timer.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include <sys/socket.h>
#include <unistd.h>

namespace halyard {

/// A connection that owes its header. What follows the header stays in the kernel, for the socket.
class ProxyProtocolServer::Arrival final : public Object {
  public:
    Arrival(ProxyProtocolServer& server, int descriptor, const Endpoint& peer, ConnectionPermit permit)
        : Object(&server),
          server_(server),
          peer_(peer),
          permit_(std::move(permit)),
          descriptor_(descriptor),
          arrivals_(new FdNotifier(descriptor, FdNotifier::Read, this)),
          deadline_(new Timer(this)) {
        arrivals_->activated.connect(this, &Arrival::receive);
        deadline_->setSingleShot(true);
        deadline_->timeout.connect(this, [this] { refuse("it sent no PROXY protocol header in time"); });
        deadline_->start(server.headerTimeout_);
        ++server_.awaited_; // last, for what comes before may throw
    }

    ~Arrival() override {
        --server_.awaited_;
        if (descriptor_ < 0)
            return;
        delete arrivals_;
        ::close(descriptor_);
    }

    bool isWatched() const noexcept { return arrivals_->isEnabled(); }

  private:
    /// Looks at what has come, and takes out of the kernel only what is the header's.
    void receive() {
        std::array<char, 512> piece{};
        const ssize_t size = ::recv(descriptor_, piece.data(), piece.size(), MSG_PEEK);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size < 0) {
            refuse(std::generic_category().message(errno));
        } else if (size == 0) {
            refuse("it ended before its PROXY protocol header");
        } else {
            const std::size_t taken = parser_.consume({piece.data(), static_cast<std::size_t>(size)});
            (void)::recv(descriptor_, piece.data(), taken, 0);
            if (parser_.state() == ProxyHeaderParser::State::Invalid)
                refuse(std::string(parser_.error()));
            else if (parser_.state() == ProxyHeaderParser::State::Complete)
                arrive();
        }
    }

    void arrive() {
        const Endpoint& source = parser_.header().source;
        const Pointer<ProxyProtocolServer> server(&server_);
        const int descriptor = leave();
        if (!admit(descriptor, source.address, permit_)) {
            server->refused(source);
            return;
        }
        const std::uint32_t queued = server->queuedConnections();
        Emissions emissions;
        server->givePermit(std::move(permit_));
        emissions.make([&] { server->addConnection(descriptor, source.address.isNull() ? peer_ : source); });
        // A slot may have deleted the server, and this with it.
        if (server) {
            server->takePermit(); // where there was no memory for who should have it
            if (!emissions.haveThrown() || server->queuedConnections() != queued)
                emissions.make([&] { server->newConnection(); });
        }
        emissions.end();
    }

    void refuse(const std::string& why) {
        ::close(leave());
        permit_.giveBack();
        server_.tellOfRefusal(peer_, why);
    }

    int leave() {
        delete std::exchange(arrivals_, nullptr);
        delete std::exchange(deadline_, nullptr); // deleteLater() waits where a slot runs the loop
        deleteLater();
        return std::exchange(descriptor_, -1);
    }

    ProxyProtocolServer& server_;
    const Endpoint peer_;
    ConnectionPermit permit_;
    int descriptor_; ///< −1 once it is somebody else's, or closed
    FdNotifier* arrivals_;
    Timer* deadline_;
    ProxyHeaderParser parser_;
};

ProxyProtocolServer::ProxyProtocolServer(Object* parent) : TcpServer(parent) {}

ProxyProtocolServer::~ProxyProtocolServer() {
    close();
    for (Arrival* const each : findChildren<Arrival>({}, DirectChildrenOnly))
        delete each;
}

bool ProxyProtocolServer::isTrusted(const HostAddress& address) const {
    const auto ipv4 = address.toIPv4();
    const HostAddress plain = ipv4 ? HostAddress(*ipv4) : address;
    return std::any_of(trusted_.begin(), trusted_.end(),
                       [&](const auto& each) { return plain.isInSubnet(each.first, each.second); });
}

void ProxyProtocolServer::incomingConnection(int socketDescriptor) {
    const Endpoint peer = incomingPeer(socketDescriptor);
    if (!isTrusted(peer.address)) {
        ::close(socketDescriptor);
        tellOfRefusal(peer, "it is no trusted balancer");
        return;
    }
    if (awaited_ >= maxAwaited_) {
        ::close(socketDescriptor);
        tellOfRefusal(peer, "too many others owe their PROXY protocol header");
        return;
    }
    UnclaimedDescriptor unclaimed(socketDescriptor);
    auto* const arrival = new Arrival(*this, socketDescriptor, peer, takePermit());
    unclaimed.claimed();
    if (arrival->isWatched()) {
        headerAwaited(arrival);
    } else { // the log says why
        delete arrival;
        tellOfRefusal(peer, "it cannot be watched");
    }
}

} // namespace halyard
