#pragma once

#include "ledger.h"
#include "proxy.h"

#include <halyard/net/local_server.h>
#include <halyard/net/pooled_server.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/worker_pool.h>

#include <cstdint>
#include <string>

namespace soak {

/// Everybody whom a visit may come to: servers of this thread's loop and of a pool's, and proxies.
class Service {
  public:
    explicit Service(Ledger& ledger);

    /// Why it could not begin; "" where it could.
    std::string failure() const;

    std::uint16_t tcpPort() const { return tcp_.serverPort(); }
    std::uint16_t pooledPort() const { return pooled_.serverPort(); }
    std::string localName() const { return local_.serverName(); }
    halyard::NetworkProxy socksProxy() const { return socks_.address(); }
    halyard::NetworkProxy httpProxy() const { return http_.address(); }

    bool isIdle() const; ///< Nobody is connected.

  private:
    template <class Server>
    void serve(Server& server);

    Ledger& ledger_;
    halyard::WorkerPool pool_{2};
    halyard::TcpServer tcp_;
    halyard::LocalServer local_;
    halyard::PooledServer pooled_;
    Proxy socks_{halyard::NetworkProxy::Socks5};
    Proxy http_{halyard::NetworkProxy::Http};
    std::uint64_t served_ = 0;
};

} // namespace soak
