#pragma once

#include <halyard/net/endpoint.h>
#include <halyard/net/host_address.h>
#include <halyard/net/network_proxy.h>
#include <halyard/net/stream_server.h>
#include <halyard/net/tcp_socket.h>

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
    explicit TcpServer(Object* parent = nullptr);

    /// Closes, and deletes its children: the connections it gave out too, unless they were given another parent.
    ~TcpServer() override;

    /// Listens; HostAddress::Any is IPv6 and IPv4 at once, port 0 any free one: serverPort() tells. False, with
    /// serverError() and errorString(): AddressInUse, SocketAddressNotAvailable, SocketAccess, SocketResource. A server
    /// that listens refuses, and goes on as it was.
    bool listen(const HostAddress& address = HostAddress::Any, std::uint16_t port = 0);

    HostAddress serverAddress() const; ///< Null while not listening.
    std::uint16_t serverPort() const;  ///< 0 while not listening.

    TcpSocket* nextPendingConnection() override;

    /// By which way clients come, from the next listen() on: see NetworkProxy. Where a proxy applies, listen() fails
    /// with UnsupportedSocketOperation: this version has none.
    void setProxy(const NetworkProxy& proxy) { proxy_ = proxy; }
    NetworkProxy proxy() const { return proxy_; } ///< As it was set.

    /// Lets several servers listen at the same port and share its clients, from the next listen() on (socket(7)).
    void setReusePort(bool reuse) noexcept { reusePort_ = reuse; }

  protected:
    /// Makes a TcpSocket, a child of the server, and queues that.
    void incomingConnection(int socketDescriptor) override;

    /// Queues a connection for nextPendingConnection(): its reading waits until it is taken. Its parent stays.
    void addPendingConnection(TcpSocket* socket) { queue(socket); }
    /// Makes a TcpSocket, a child of the server, of a connected descriptor, which is the server's from here on, and
    /// queues that; its peer is who the caller says.
    void addConnection(int socketDescriptor, const Endpoint& peer);

  private:
    using StreamServer::queue; // nothing but a TcpSocket

    std::string localText() const override { return local_.toString(); }
    bool adopts(const sockaddr& name, std::size_t length) override;

    Endpoint local_;
    NetworkProxy proxy_;
    bool reusePort_ = false;
};

} // namespace halyard
