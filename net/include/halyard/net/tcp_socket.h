#pragma once

#include <halyard/net/endpoint.h>
#include <halyard/net/host_address.h>
#include <halyard/net/stream_socket.h>

#include <cstdint>
#include <string>

namespace halyard {

/// A TCP connection: bytes in, bytes out, and signals for what happens to it.
///
///     TcpSocket socket;
///     socket.connected.connect([&] { socket.write("hello\n"); });
///     socket.readyRead.connect([&] { std::cout << socket.readAll(); });
///     socket.errorOccurred.connect([&](SocketError) { std::cerr << socket.errorString() << '\n'; });
///     socket.connectToHost(HostAddress::LocalHost, 7000);
///
/// Everything about bytes, ends, waits and errors stands in StreamSocket; here is what is of the Internet.
class HALYARD_API TcpSocket : public StreamSocket {
  public:
    explicit TcpSocket(Object* parent = nullptr);

    /// Starts to connect: connected or errorOccurred comes later, from the loop or in a wait. Refused unless the
    /// socket is unconnected: error Operation, errorOccurred, and the connection there is goes on.
    void connectToHost(const HostAddress& address, std::uint16_t port);

    HostAddress localAddress() const;
    std::uint16_t localPort() const;
    HostAddress peerAddress() const; ///< Null while not connected.
    std::uint16_t peerPort() const;

    Signal<> hostFound{this}; ///< It is known which address to connect to; right inside connectToHost() here.

  private:
    friend class TcpServer;

    std::string peerText() const override { return peer_.toString(); }
    void peerFound(const sockaddr& name) override;
    void beginAccepted(int descriptor, const Endpoint& peer);

    Endpoint peer_;
};

} // namespace halyard
