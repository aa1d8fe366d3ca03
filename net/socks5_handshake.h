#pragma once

#include "proxy_handshake.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace halyard {

/// SOCKS version 5 (RFC 1928), with no authentication or a user name and a password (RFC 1929).
class Socks5Handshake final : public ProxyHandshake {
  public:
    enum class Command : std::uint8_t { Connect = 1, Bind = 2 };

    /// To or for `host`, the text of an address or a name of at most 255 bytes. User name and password have at most 255
    /// bytes each; neither is offered where both are empty.
    Socks5Handshake(Command command, std::string host, std::uint16_t port, std::string user, std::string password);

    void begin() override;

  private:
    enum class Step : std::uint8_t { Method, Authentication, Reply };

    std::size_t take(std::string_view bytes) override;
    void expect(Step step) noexcept;
    void request();
    bool lookAtMethod();
    bool lookAtAuthentication();
    bool lookAtReply();
    void refused(std::uint8_t reply);
    std::uint8_t at(std::size_t place) const noexcept { return static_cast<std::uint8_t>(message_[place]); }
    bool hasCredentials() const noexcept { return !user_.empty() || !password_.empty(); }

    Command command_;
    std::uint16_t port_;
    std::string host_;
    std::string user_;
    std::string password_;
    std::string message_;    ///< what has come of the one that is expected
    std::size_t wanted_ = 0; ///< how long that is, as far as it is known
    Step step_ = Step::Method;
    bool isBound_ = false; ///< the first reply to a BIND has come
};

} // namespace halyard
