#pragma once

#include "engine_failure.h"

#include <halyard/net/endpoint.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace halyard {

/// What is said between this side and a proxy until the tunnel stands: bytes in and bytes out, without a socket. What
/// the proxy says may come in any pieces, and all of it is limited.
///
///     handshake.begin();
///     for each of: toSend() and sent(), receive(), until state() says how it ended
class ProxyHandshake {
  public:
    enum class State : std::uint8_t {
        Talking, ///< toSend() has to go; where it is empty, more has to come
        Bound,   ///< the proxy listens at address(), and will say more when a client has come
        Stands,  ///< every byte from here on is of the peer, who is at address()
        Again,   ///< it goes on over a new connection to the proxy, with begin()
        Failed,  ///< as failure() says
    };

    static constexpr const char* closedTooEarly = "it closed the connection too early";

    ProxyHandshake() = default;
    ProxyHandshake(const ProxyHandshake&) = delete;
    ProxyHandshake& operator=(const ProxyHandshake&) = delete;
    virtual ~ProxyHandshake() = default;

    /// There is a connection to the proxy.
    virtual void begin() = 0;

    State state() const noexcept { return state_; }
    const EngineFailure& failure() const noexcept { return failure_; }
    const Endpoint& address() const noexcept { return address_; } ///< Null where the proxy has told none.

    std::string_view toSend() const noexcept { return std::string_view(output_).substr(sent_); }
    void sent(std::size_t bytes) noexcept { sent_ += bytes; }

    /// Takes what has come from the proxy, as far as it is for this side: the number of those bytes. What is left is of
    /// the peer behind the proxy, or, where it has become Bound, for the next call.
    std::size_t receive(std::string_view bytes);

    /// The proxy has closed the connection.
    virtual void ended();

  protected:
    /// Takes some of `bytes`, which are not empty.
    virtual std::size_t take(std::string_view bytes) = 0;

    void say(std::string words);
    void become(State state) noexcept { state_ = state; }
    void become(State state, const Endpoint& address) noexcept;
    void fail(SocketError error, std::string reason);

  private:
    std::string output_;
    std::size_t sent_ = 0;
    Endpoint address_;
    EngineFailure failure_;
    State state_ = State::Talking;
};

} // namespace halyard
