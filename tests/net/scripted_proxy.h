#pragma once

#include <plain_socket.h>

#include <halyard/net/network_proxy.h>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace halyard::test {

/// A proxy that does what its script says: one function for each connection, on a thread of its own. A connection is
/// closed when its function returns, or finds that it cannot send.
class ScriptedProxy {
  public:
    using Script = std::function<void(PlainSocket& client)>;

    explicit ScriptedProxy(std::vector<Script> scripts)
        : thread_([this, scripts = std::move(scripts)] {
              for (const Script& script : scripts) {
                  PlainSocket client = listener_.accept();
                  if (client.descriptor() < 0)
                      return;
                  connections_.emplace_back([script, client = std::move(client)]() mutable {
                      try {
                          script(client);
                      } catch (const std::runtime_error&) { // the client has gone
                      }
                  });
              }
          }) {}
    ScriptedProxy(const ScriptedProxy&) = delete;
    ScriptedProxy& operator=(const ScriptedProxy&) = delete;
    ~ScriptedProxy() {
        ::shutdown(listener_.descriptor(), SHUT_RDWR); // ends its accept(2)
        thread_.join();
        for (std::thread& each : connections_)
            each.join();
    }

    std::uint16_t port() const { return listener_.port(); }
    NetworkProxy socks(std::string user = {}, std::string password = {}) const {
        return {NetworkProxy::Socks5, "127.0.0.1", port(), std::move(user), std::move(password)};
    }
    NetworkProxy http(std::string user = {}, std::string password = {}) const {
        return {NetworkProxy::Http, "127.0.0.1", port(), std::move(user), std::move(password)};
    }

  private:
    PlainSocket listener_ = PlainSocket::listening();
    std::vector<std::thread> connections_;
    std::thread thread_;
};

/// What a client says up to the end of its request; short where it has closed.
inline std::string httpRequest(PlainSocket& client) {
    std::string all;
    while (!all.ends_with("\r\n\r\n")) {
        const std::string byte = client.receive(1);
        if (byte.empty())
            break;
        all += byte;
    }
    return all;
}

/// A SOCKS request with a name or an address, after a greeting that was answered; short where the client has gone.
inline std::string socksRequest(PlainSocket& client) {
    const std::string greeting = client.receive(2);
    if (greeting.size() < 2)
        return {};
    client.receive(static_cast<unsigned char>(greeting[1]));
    client.send(std::string("\x05\x00", 2));
    std::string all = client.receive(5);
    if (all.size() == 5)
        all += client.receive(all[3] == 1 ? 5U : all[3] == 4 ? 17U : static_cast<unsigned char>(all[4]) + 2U);
    return all;
}

/// A reply to it, with 192.0.2.1:80.
inline std::string socksReply(int code = 0) { return {5, static_cast<char>(code), 0, 1, '\xc0', 0, 2, 1, 0, 80}; }

/// Stays until the client has gone.
inline void stay(PlainSocket& client) { client.receive(); }

} // namespace halyard::test
