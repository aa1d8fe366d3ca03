#pragma once

#include "proxy_handshake.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halyard {

/// HTTP CONNECT (RFC 9110 section 9.3.6, RFC 9112), with Basic authentication (RFC 7617) where the proxy asks for it:
/// over the same connection where that lasts, else over a new one.
class HttpConnectHandshake final : public ProxyHandshake {
  public:
    static constexpr std::size_t longestLine = 8 * 1024;
    static constexpr std::size_t longestHead = 32 * 1024; ///< with all answers that are only provisional (1xx)
    static constexpr std::size_t longestBody = 64 * 1024; ///< of a 407 that is read to go on over the connection

    /// To `host`, the text of an address or a name. None of the texts has control characters, `user` no colon.
    HttpConnectHandshake(std::string_view host, std::uint16_t port, std::string user, std::string password);

    void begin() override;
    void ended() override;

  private:
    /// What one answer says.
    struct Answer {
        int status = 0;                      ///< 0 until its first line has come
        bool isOld = false;                  ///< HTTP/1.0
        bool closes = false;                 ///< Connection: close
        bool keepsAlive = false;             ///< Connection: keep-alive
        bool isCoded = false;                ///< Transfer-Encoding
        bool offersBasic = false;            ///< Proxy-Authenticate: Basic
        std::optional<std::size_t> bodySize; ///< Content-Length
    };

    std::size_t take(std::string_view bytes) override;
    void request();
    bool lookAtStatus();
    bool lookAtField();
    void conclude();
    void authenticate();

    std::string authority_;
    std::string user_;
    std::string password_;
    std::string line_;
    std::size_t headSize_ = 0; ///< of all answers to this request
    std::size_t body_ = 0;     ///< left to be skipped
    Answer answer_;
    bool isAuthorized_ = false; ///< the credentials go along
    bool isAnswered_ = false;   ///< the first byte of the answer has come
    bool mayLinger_ = false;    ///< this connection was said to last
};

} // namespace halyard
