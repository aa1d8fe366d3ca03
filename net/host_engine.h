#pragma once

#include "connection_race.h"
#include "native_engine.h"

#include <halyard/net/host_lookup.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace halyard {

/// The engine of a connection to a host that is known by its name: it looks the name up, races the addresses, and is
/// the native engine of the winner from then on. The client hears of each step: it asks lookup() and finishConnect()
/// for what has come of it.
///
/// A descriptor that it was given before, with adopt(), is bound to the local address and port to connect from:
/// addresses of the other family are skipped then.
class HostEngine final : public NativeEngine {
  public:
    explicit HostEngine(EngineClient& client);

    /// What `prepare` needs, it brings along: it may be called when the client is gone. That there is no memory is told
    /// later, as every failure.
    void start(std::string host, std::uint16_t port, std::chrono::milliseconds delay,
               ConnectionRace::Prepare prepare) noexcept;
    const HostLookup& lookup() const noexcept { return *lookup_; }

    /// Of the connection, or of the attempt whose failure finishConnect() tells of.
    Endpoint peer() const override { return peer_; }
    int finishConnect() noexcept override;
    int observe(std::uint32_t wanted) override;
    std::uint32_t wait(std::uint32_t wanted, std::optional<Time> until, int* error) override;
    void close(bool reset) noexcept override;

    /// What is on its way begins anew in the next loop.
    void leaveLoop() noexcept override;
    void joinLoop() override;

  private:
    void makeLookup();
    void lookedUp();
    int race();
    void raceEnded(const ConnectionRace::Outcome& outcome);
    int prepareFor(const Endpoint& peer, int descriptor) const;
    void tell();

    std::unique_ptr<HostLookup> lookup_; ///< always there, but between two loops
    std::string host_;
    std::unique_ptr<ConnectionRace> race_;
    ConnectionRace::Prepare prepare_;
    std::chrono::milliseconds delay_{0};
    Endpoint peer_;
    int result_ = 0; ///< of finishConnect(): EINPROGRESS from start() until the race has ended
    std::uint16_t port_ = 0;
    bool inWait_ = false; ///< who waits is told when the wait returns
};

} // namespace halyard
