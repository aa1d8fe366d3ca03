#pragma once

#include "proxy_engine.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace halyard {

/// The engine of a server whose client comes by a SOCKS proxy (RFC 1928, BIND): the connection to the proxy becomes the
/// client's. A proxy listens for one client only; to have another, it is asked anew over a new connection.
class ProxyListener final : public ProxyEngine {
  public:
    enum class Clients : std::uint8_t { One, OneAfterTheOther };

    /// `limit`: how long the proxy may take until it listens.
    ProxyListener(EngineClient& client, NetworkProxy proxy, const Endpoint& local, std::chrono::milliseconds limit,
                  Clients clients);

    /// Asks the proxy, and waits until it listens or the limit is over.
    int listenAt(const Endpoint& local, int backlog, bool reusePort) override;
    /// The connection to the proxy, as soon as that says who has come.
    int accept(Endpoint& peer) noexcept override;
    Endpoint local() const override { return bound_; } ///< Where the proxy listens; null while it is asked.

    int release() noexcept override { return -1; } ///< The connection to a proxy is no listener to be given away.
    bool isOver() const noexcept override { return isOver_; }

    int observe(std::uint32_t wanted) override;
    std::uint32_t wait(std::uint32_t wanted, std::optional<Time> until, int* error) override;

  private:
    void engineReady(std::uint32_t ready) override;
    int ask();
    void isBound();

    Endpoint bound_;
    std::chrono::milliseconds limit_;
    Clients clients_;
    bool isAsked_ = false;  ///< there is a handshake
    bool hasMoved_ = false; ///< the server does not know bound_ yet
    bool isOver_ = false;
};

} // namespace halyard
