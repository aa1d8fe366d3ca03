#pragma once

#include <halyard/net/host_address.h>
#include <halyard/signals/export.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace halyard {

class StreamServer;
class ConnectionLimits;

/// The place of one connection among those that ConnectionLimits allow: taken as long as this lives.
class HALYARD_API ConnectionPermit {
  public:
    ConnectionPermit() noexcept = default; ///< No place, nor any needed.
    /// Takes the place of the other one, which has none then.
    ConnectionPermit(ConnectionPermit&& other) noexcept
        : limits_(std::move(other.limits_)), peer_(std::exchange(other.peer_, std::nullopt)) {}
    /// As above; the other one has this one's, and gives it back with its end.
    ConnectionPermit& operator=(ConnectionPermit&& other) noexcept {
        std::swap(limits_, other.limits_);
        std::swap(peer_, other.peer_);
        return *this;
    }
    ~ConnectionPermit() { giveBack(); } ///< Gives the place back.

    explicit operator bool() const noexcept { return limits_ != nullptr; } ///< Whether it has a place.

    /// Whether the peer may have one connection more, which is this one then. Always, for the null address.
    bool countFor(const HostAddress& peer);

    void giveBack() noexcept; ///< The place, where it has one: somebody else may have it.

  private:
    friend class ConnectionLimits;
    explicit ConnectionPermit(std::shared_ptr<ConnectionLimits> limits) noexcept : limits_(std::move(limits)) {}

    std::shared_ptr<ConnectionLimits> limits_;
    std::optional<HostAddress> peer_; ///< the network that it is counted for
};

/// How many connections may be open at a time, in all and of one peer: for a server, or for several that share them, on
/// whatever threads, with a WorkerPool or without.
///
///     const auto limits = std::make_shared<ConnectionLimits>(10'000, 100);
///     server.setLimits(limits);
///     sameForIPv6.setLimits(limits); // together 10,000, and 100 of each peer
///
/// A connection counts from accept(2) until its descriptor is closed or given away (StreamSocket::releaseDescriptor()),
/// the time included that a deleted socket takes to deliver what it was given to write.
///
/// Where as many are open as may be, servers are AcceptState::Full: further clients wait in the kernel's backlog, in
/// their order, and are served when others have gone. A peer that has all of its own is not made to wait, because those
/// behind it would wait too: its connection is accepted, and reset at once, TcpServer::clientRefused tells of it, and
/// the log does every now and then. Nor does a Drain let anybody in who waits where there is no place.
///
/// Peers are networks: of IPv4 each address (and its IPv4-mapped form) is one, of IPv6 each /64, which is what one
/// customer or host has at least (RFC 6177); see setPeerPrefixes(). Connections of a LocalServer have no peer. Behind a
/// balancer the peer is who the PROXY protocol header names.
///
/// Thread-safe; a change holds for those who come after it.
/// @since 0.1
class HALYARD_API ConnectionLimits : public std::enable_shared_from_this<ConnectionLimits> {
  public:
    /// 0: no limit.
    explicit ConnectionLimits(std::size_t connections = 0, std::size_t ofOnePeer = 0);
    ConnectionLimits(const ConnectionLimits&) = delete;
    ConnectionLimits& operator=(const ConnectionLimits&) = delete;
    ~ConnectionLimits();

    void setMaxConnections(std::size_t count); ///< In all; 0: no limit. Who waits is let in where it is higher.
    std::size_t maxConnections() const;        ///< See setMaxConnections().
    void setMaxConnectionsOfOnePeer(std::size_t count); ///< 0: no limit.
    std::size_t maxConnectionsOfOnePeer() const;        ///< See setMaxConnectionsOfOnePeer().

    /// How many bits of its address make a peer: 32 of IPv4 and 64 of IPv6 until this is called. For the next
    /// connections.
    void setPeerPrefixes(int ofIPv4, int ofIPv6);
    /// The network that an address counts for: itself with the bits behind the prefix cleared.
    HostAddress peerOf(const HostAddress& address) const;

    std::size_t connections() const;                                 ///< That are open.
    std::size_t connectionsOfPeer(const HostAddress& address) const; ///< Of those, its network's.
    std::uint64_t refusedConnections() const; ///< How many were reset because their peer had all of its own.

  private:
    friend class ConnectionPermit;
    friend class StreamServer;

    struct Hash {
        std::uint64_t secret; ///< so that nobody can choose addresses that meet
        std::size_t operator()(const HostAddress& peer) const noexcept;
    };
    /// A place for a connection; none where as many are open as may be: the server is told when there is one again.
    ConnectionPermit permitFor(StreamServer& server);
    bool haveRoom() const;
    void forget(const StreamServer& server) noexcept; ///< Nobody tells it any more once this returns.

    HostAddress networkOf(const HostAddress& address) const noexcept;
    bool isFull() const noexcept { return maxConnections_ != 0 && connections_ >= maxConnections_; }
    bool add(const HostAddress& address, std::optional<HostAddress>& peer);
    void remove(const std::optional<HostAddress>& peer) noexcept;
    void tellWaiting() noexcept;

    mutable std::mutex mutex_;
    std::size_t maxConnections_;
    std::size_t maxOfOnePeer_;
    int ipv4Prefix_ = 32;
    int ipv6Prefix_ = 64;
    std::size_t connections_ = 0;
    std::uint64_t refused_ = 0;
    std::unordered_map<HostAddress, std::size_t, Hash> peers_; ///< those that have connections
    std::vector<StreamServer*> waiting_;                       ///< to be told
};

} // namespace halyard
