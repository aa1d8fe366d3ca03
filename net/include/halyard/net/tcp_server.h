#pragma once

#include <halyard/core/log.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/endpoint.h>
#include <halyard/net/host_address.h>
#include <halyard/net/network_proxy.h>
#include <halyard/net/stream_server.h>
#include <halyard/net/tcp_socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace halyard {

/// Listens for TCP connections.
///
///     TcpServer server;
///     server.newConnection.connect([&] {
///         while (TcpSocket* client = server.nextPendingConnection()) {
///             client->readyRead.connect(client, [client] { client->write(client->readAll()); });
///             client->disconnected.connect(client, &Object::deleteLater);
///         }
///     });
///     server.listen(HostAddress::LocalHost, 7000);
///
/// Everything about accepting, pausing, waiting and errors stands in StreamServer; here is what is of the Internet.
class HALYARD_API TcpServer : public StreamServer {
  public:
    explicit TcpServer(Object* parent = nullptr); ///< It does not listen yet.

    /// Closes, and deletes its children: the connections it gave out too, unless they were given another parent.
    ~TcpServer() override;

    /// Listens; HostAddress::Any is IPv6 and IPv4 at once, port 0 any free one: serverPort() tells. False, with
    /// serverError() and errorString(): AddressInUse, SocketAddressNotAvailable, SocketAccess, SocketResource; where a
    /// proxy applies, those of proxies too, and UnsupportedSocketOperation where it is none that can listen. A server
    /// that listens refuses, and goes on as it was.
    ///
    /// Where a SOCKS5 proxy applies (see NetworkProxy), that is asked to listen (RFC 1928, BIND), and waited for,
    /// without the loop, for as long as setProxyTimeout() says. It accepts one client: with newConnection isListening()
    /// becomes false, unless setRebind() says otherwise. A proxy that is lost before is told of by acceptError, and
    /// isListening() is false then too.
    bool listen(const HostAddress& address = HostAddress::Any, std::uint16_t port = 0);

    HostAddress serverAddress() const; ///< Null while not listening. The proxy's, where one listens.
    std::uint16_t serverPort() const;  ///< 0 while not listening.

    TcpSocket* nextPendingConnection() override;

    /// By which way clients come, from the next listen() on: see NetworkProxy.
    void setProxy(const NetworkProxy& proxy) { proxy_ = proxy; }
    NetworkProxy proxy() const { return proxy_; } ///< As it was set.

    /// How long a proxy may take until it listens, from the next listen() on: 5 seconds until this is called; after
    /// that listen() fails with ProxyConnectionTimeout.
    void setProxyTimeout(std::chrono::milliseconds limit) noexcept { proxyTimeout_ = limit; }
    std::chrono::milliseconds proxyTimeout() const noexcept { return proxyTimeout_; } ///< See setProxyTimeout().

    /// Whether a proxy that has accepted a client is asked to listen for another one, from the next listen() on; off
    /// until this is called. Meanwhile the server is listening, with a null address and port 0, and nobody can come;
    /// when it can be reached again, most often at another port, rebound is emitted. Where the proxy cannot be asked,
    /// acceptError comes as for a lack of descriptors: once, and it is tried again by itself.
    void setRebind(bool rebind) noexcept { rebind_ = rebind; }
    bool rebinds() const noexcept { return rebind_; } ///< See setRebind().

    /// Lets several servers listen at the same port and share its clients, from the next listen() on (socket(7)).
    void setReusePort(bool reuse) noexcept { reusePort_ = reuse; }

    /// The proxy listens for another client: see setRebind(). serverAddress() and serverPort() tell where.
    Signal<> rebound{this};

    /// A client was turned away, because its peer has as many connections as setLimits() allows one; who it is, and the
    /// reason in a sentence. The log has such a sentence too, every ten seconds at most. A slot may do anything.
    Signal<Endpoint, std::string> clientRefused{this};

  protected:
    /// Makes a TcpSocket, a child of the server, and queues that.
    void incomingConnection(int socketDescriptor) override;

    /// Queues a connection for nextPendingConnection(): its reading waits until it is taken. Its parent stays.
    void addPendingConnection(TcpSocket* socket) { queue(socket); }
    /// Makes a TcpSocket, a child of the server, of a connected descriptor, which is the server's from here on, and
    /// queues that; its peer is who the caller says.
    void addConnection(int socketDescriptor, const Endpoint& peer);

    void refused(const Endpoint& peer) override;
    /// Tells of a client that was turned away, and why: by clientRefused, and at times in the log.
    void tellOfRefusal(const Endpoint& peer, const std::string& why);

  private:
    using StreamServer::queue; // nothing but a TcpSocket

    std::string localText() const override;
    void moved() override { rebound(); }
    bool listenBy(const NetworkProxy& proxy);
    Endpoint local() const;
    bool adopts(const sockaddr& name, std::size_t length) override;

    Endpoint local_; ///< what was asked for
    NetworkProxy proxy_;
    std::string by_; ///< the proxy that listens; "" where none does
    std::chrono::milliseconds proxyTimeout_{5000};
    LogThrottle refusals_;
    bool reusePort_ = false;
    bool rebind_ = false;
};

} // namespace halyard
