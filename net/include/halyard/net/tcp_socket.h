#pragma once

#include <halyard/net/endpoint.h>
#include <halyard/net/host_address.h>
#include <halyard/net/network_proxy.h>
#include <halyard/net/stream_socket.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace halyard {

class SocketOptions;

/// A TCP connection: bytes in, bytes out, and signals for what happens to it.
///
///     TcpSocket socket;
///     socket.connected.connect([&] { socket.write("hello\n"); });
///     socket.readyRead.connect([&] { std::cout << socket.readAll(); });
///     socket.errorOccurred.connect([&](SocketError) { std::cerr << socket.errorString() << '\n'; });
///     socket.connectToHost("example.org", 7000);
///
/// Everything about bytes, ends, waits and errors stands in StreamSocket; here is what is of the Internet.
class HALYARD_API TcpSocket : public StreamSocket {
  public:
    explicit TcpSocket(Object* parent = nullptr); ///< Unconnected.
    ~TcpSocket() override;

    /// Starts to connect: connected or errorOccurred comes later, from the loop or in a wait. Refused unless the
    /// socket is unconnected or bound: error Operation, errorOccurred, and the connection there is goes on.
    void connectToHost(const HostAddress& address, std::uint16_t port);

    /// As above, to a host by its name; the text of an address, too. The loop does not stand still meanwhile: the state
    /// is HostLookup until HostLookup (the class, which says what names there are) has found the addresses, then
    /// Connecting, and hostFound comes. The first address that answers is the peer: they are tried in turn, each
    /// once, the next one as soon as one has failed or has not answered for a while (RFC 8305, Happy Eyeballs).
    ///
    /// Errors, after stateChanged(Unconnected): HostNotFound where the name has no address or no name server answers;
    /// where no address does, what the first said that was reached at all.
    void connectToHost(const std::string& host, std::uint16_t port);

    /// How long an address may be silent before the next one is tried as well: 250 ms until this is called, and not
    /// less than 10 (RFC 8305 section 5). For the next connectToHost().
    void setConnectionAttemptDelay(std::chrono::milliseconds delay);
    /// See setConnectionAttemptDelay().
    std::chrono::milliseconds connectionAttemptDelay() const noexcept {
        return details_ != nullptr ? details_->attemptDelay : usualAttemptDelay;
    }

    /// Gives the socket the address that it connects from; HostAddress::Any leaves it open which, port 0 takes any
    /// free one: localPort() tells. The state is Bound then. False, with errorOccurred and the state as it was:
    /// AddressInUse, SocketAddressNotAvailable, SocketAccess, SocketResource; Operation unless it is unconnected.
    bool bind(const HostAddress& address = HostAddress::Any, std::uint16_t port = 0);

    /// By which way the next connectToHost() goes: see NetworkProxy. By a proxy the states are the same; a name is sent
    /// to the proxy as it is, so hostFound does not come, and peerAddress() is null. localAddress() is the one of this
    /// machine. When the tunnel stands the descriptor is as any other.
    ///
    /// Errors, after stateChanged(Unconnected): ProxyNotFound, ProxyConnectionRefused, ProxyConnectionClosed,
    /// ProxyConnectionTimeout (where it does not bring a connection within two minutes; set a shorter connect timeout),
    /// ProxyAuthenticationRequired, ProxyProtocol; and what the proxy says about the target: see SocketError. Where the
    /// application's selector has no proxy that can connect, UnsupportedSocketOperation, inside the call, and the state
    /// stays as it was.
    void setProxy(const NetworkProxy& proxy);
    NetworkProxy proxy() const { return details_ != nullptr ? details_->proxy : NetworkProxy(); } ///< As it was set.

    /// Sets an option for this and all further connections of this socket; one that is set before there is a
    /// descriptor is set when there is one. What the system refuses shows in error(), as UnsupportedSocketOperation,
    /// and in the log.
    void setSocketOption(SocketOption option, int value);
    /// The system's value where there is a descriptor, else what was set before; nothing where neither is.
    std::optional<int> socketOption(SocketOption option) const;

    HostAddress localAddress() const; ///< Null without a descriptor.
    std::uint16_t localPort() const;  ///< 0 where there is none.
    HostAddress peerAddress() const;  ///< Null while not connected.
    std::uint16_t peerPort() const;   ///< 0 where there is none.
    /// What connectToHost() was given, as text; "" for a connection that was accepted or adopted. It stays after the
    /// end.
    std::string peerName() const { return details_ != nullptr ? details_->peerName : std::string(); }

    Signal<> hostFound{this}; ///< It is known where to connect to; for an address, right inside connectToHost().

  private:
    friend class TcpServer;
    static constexpr std::chrono::milliseconds usualAttemptDelay{250};

    /// What a connection that was accepted seldom has.
    struct Details {
        std::string peerName;
        std::string peerText; ///< what is said of the peer, where it is not made of the above; else ""
        std::chrono::milliseconds attemptDelay = usualAttemptDelay;
        std::unique_ptr<SocketOptions> options; ///< null until one is set
        NetworkProxy proxy;
    };
    Details& details();
    const SocketOptions* options() const noexcept { return details_ != nullptr ? details_->options.get() : nullptr; }
    void setPeerText(std::string text);

    std::string peerText() const override;
    void adopted(const sockaddr& name) override;
    void lookedUp() override;
    void peerDecided() override;
    bool beginByProxy(bool toLoopback);
    void setPeer(const Endpoint& peer, std::string name);
    void connectTo(const Endpoint& peer, std::string name);
    void beginConnecting();
    void connectNow();
    void beginAccepted(int descriptor, const Endpoint& peer);
    void applyOptions();
    void reportOption(int error);

    Endpoint peer_;                    ///< its address is null until it is known; or what could not be bound
    std::unique_ptr<Details> details_; ///< null until something of it is set
};

} // namespace halyard
