#pragma once

#include <halyard/net/proxy_header.h>
#include <halyard/net/tcp_server.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace halyard {

/// A TcpServer behind balancers that speak the PROXY protocol: its clients' peerAddress() and peerPort() are those of
/// who connected to the balancer.
///
///     ProxyProtocolServer server;
///     server.trust(*HostAddress::parse("10.0.0.0"), 8);
///     server.newConnection.connect([&] {
///         while (TcpSocket* client = server.nextPendingConnection())
///             std::puts(client->peerAddress().toString().c_str());
///     });
///     server.listen(HostAddress::Any, 7000);
///
/// Who connects from a trusted network must begin with a header, of version 1 or 2, and is queued when it is complete;
/// anybody else is turned away, because a header could be a lie there, and its absence must not be guessed (see
/// ProxyHeaderParser): clientRefused tells by whom it came, and why. newConnection tells of an accepted connection as
/// ever, and again when one is queued.
///
/// The headers are read by the event loop: a waitForNewConnection() only accepts. close() leaves those alone who are
/// about to send theirs: they are queued still.
/// @since 0.1
class HALYARD_API ProxyProtocolServer : public TcpServer {
  public:
    explicit ProxyProtocolServer(Object* parent = nullptr); ///< It trusts nobody yet.
    ~ProxyProtocolServer() override;

    /// Trusts the balancers in this network too: the first `length` bits count. Nobody is trusted until this is called.
    void trust(const HostAddress& network, int length) { trusted_.emplace_back(network, length); }
    /// Whether a header from there is believed. An IPv4 address is the same in its mapped form.
    bool isTrusted(const HostAddress& address) const;

    /// For a header that has not come within this time the connection is closed: 5 s until this is called. For the next
    /// connections.
    void setHeaderTimeout(std::chrono::milliseconds limit) noexcept { headerTimeout_ = limit; }
    /// How long a balancer may take for the header.
    std::chrono::milliseconds headerTimeout() const noexcept { return headerTimeout_; }

    /// How many connections may owe their header at a time; further ones are turned away. 1024 until this is called.
    void setMaxAwaitedHeaders(std::size_t count) noexcept { maxAwaited_ = count; }
    std::size_t awaitedHeaders() const noexcept { return awaited_; } ///< How many connections have not sent theirs yet.

    /// A client was accepted whose header is awaited. The object lives until that has come, or the client has been
    /// turned away: see Drain. A slot may do anything but delete it.
    Signal<Object*> headerAwaited{this};

  protected:
    void incomingConnection(int socketDescriptor) override;
    /// The balancer's is not the peer's; the header says who that is.
    HostAddress countedPeer(const Endpoint&) const override { return {}; }

  private:
    class Arrival;

    std::vector<std::pair<HostAddress, int>> trusted_;
    std::chrono::milliseconds headerTimeout_{5000};
    std::size_t maxAwaited_ = 1024;
    std::size_t awaited_ = 0;
};

} // namespace halyard
