#pragma once

#include "host_engine.h"
#include "native_engine.h"
#include "proxy_handshake.h"

#include <halyard/core/deadline.h>
#include <halyard/net/network_proxy.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace halyard {

/// The engine of a connection by a proxy: it connects to the proxy and has the handshake with it. It reads no byte that
/// is not the proxy's, so when the tunnel stands its descriptor is as good as any, and successor(), which is all
/// native, takes over.
///
/// A descriptor that it was given before, with adopt(), is bound to the local address and port to connect from.
class ProxyEngine : public NativeEngine, protected EngineClient {
  public:
    /// How long the way to the proxy and the handshake may take together.
    static constexpr std::chrono::milliseconds usualLimit{120'000};

    /// To `host`, the text of an address or a name. What `prepare` needs, it brings along.
    ProxyEngine(EngineClient& client, NetworkProxy proxy, std::string host, std::uint16_t port,
                std::chrono::milliseconds attemptDelay, ConnectionRace::Prepare prepare);

    int openFor(const HostAddress&) noexcept override { return 0; }
    int connectTo(const Endpoint& peer) noexcept override; ///< To the host of the constructor.
    int finishConnect() noexcept override;
    std::unique_ptr<SocketEngine> successor() override;
    const EngineFailure* failure() const noexcept override { return failure_ ? &*failure_ : nullptr; }
    Endpoint peer() const override { return peer_; }

    int observe(std::uint32_t wanted) override;
    std::uint32_t wait(std::uint32_t wanted, std::optional<Time> until, int* error) override;
    void leaveLoop() noexcept override;
    void joinLoop() override;

  protected:
    /// Begins a handshake, at the way to the proxy: 0, or errno with failure() set. No memory for it, here as in what
    /// follows, is such a failure.
    int begin(bool forListening, std::chrono::milliseconds limit) noexcept;
    /// Does what can be done without waiting: 0 where the handshake has come to Bound or Stands, EINPROGRESS, or errno
    /// with failure() set.
    int goOn() noexcept;
    bool isOnItsWay() const noexcept { return way_ != nullptr; }   ///< To the proxy: it tells by itself.
    Endpoint proxyReached() const { return NativeEngine::peer(); } ///< The proxy itself.
    ProxyHandshake& handshake() const noexcept { return *handshake_; }
    void endLimit() noexcept { limit_.disarm(); }
    int fail(SocketError error, std::string reason);
    int timeIsOver() noexcept;

    void engineReady(std::uint32_t ready) override; ///< From the engine of the way to the proxy.

  private:
    /// The end of patience.
    class Limit final : public Deadline {
      public:
        explicit Limit(ProxyEngine& engine) noexcept : engine_(engine) {}
        using Deadline::joinLoop;
        using Deadline::leaveLoop;

      private:
        void dispatch() override;
        ProxyEngine& engine_;
    };

    template <class Step>
    int orNoMemory(Step step) noexcept;
    std::optional<EngineFailure> flaw() const;
    int tryToBegin(bool forListening, std::chrono::milliseconds limit);
    int tryToGoOn();
    void setOut();
    int reachProxy();
    int converse();
    int broke(int error);
    std::uint32_t nextNeed() const noexcept; ///< What the handshake waits for.
    std::ptrdiff_t peek(std::span<std::byte> into) const noexcept;

    const NetworkProxy proxy_;
    const std::string host_;
    Endpoint peer_; ///< as far as it is known here: its address, or none for a name
    std::optional<Endpoint> from_;
    ConnectionRace::Prepare prepare_;
    std::chrono::milliseconds attemptDelay_;
    std::unique_ptr<HostEngine> way_;           ///< to the proxy, until that is reached
    std::unique_ptr<ProxyHandshake> handshake_; ///< null before it begins
    std::size_t heard_ = 0;                     ///< bytes that the handshake knows and that are still to be read away
    std::optional<EngineFailure> failure_;
    Limit limit_{*this};
};

} // namespace halyard
