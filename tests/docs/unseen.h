// What the blocks of threads.md and proxies.md use, and do not show. Read after `using namespace halyard`.
#include <halyard/core/thread.h>
#include <halyard/net/host_address.h>
#include <halyard/net/network_proxy.h>
#include <halyard/net/pooled_server.h>
#include <halyard/net/worker_pool.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

extern PooledServer server;
extern WorkerPool pool;
void serveAll(TcpServer& which);

extern const std::optional<NetworkProxy> proxy;
extern const std::string host;
extern const std::uint16_t port;
extern const std::string text;
void announce(const HostAddress& address, std::uint16_t itsPort);
