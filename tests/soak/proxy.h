#pragma once

#include <halyard/net/network_proxy.h>
#include <halyard/net/tcp_server.h>

#include <cstddef>

namespace soak {

/// A small proxy of its own: SOCKS5 (RFC 1928) or HTTP CONNECT (RFC 9110 section 9.3.6), without a password.
class Proxy : public halyard::TcpServer {
  public:
    explicit Proxy(halyard::NetworkProxy::Type type);

    halyard::NetworkProxy address() const { return {type_, "127.0.0.1", serverPort(), {}, {}}; }

  private:
    void accept();
    void hear(halyard::TcpSocket& client) const;
    void hearSocks(halyard::TcpSocket& client) const;
    void hearHttp(halyard::TcpSocket& client) const;

    const halyard::NetworkProxy::Type type_;
};

} // namespace soak
