#pragma once

#include "metrics.h"

#include <halyard/core/object.h>
#include <halyard/net/stream_socket.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace echo {

class Journal;

/// One client of the server: what it sends goes back to it. A child of the client's socket.
///
/// It lives on signals alone, which the loop and the socket's waits emit alike.
class Session : public halyard::Object {
  public:
    /// From `maxQueued` bytes on that wait to be sent back nothing more is taken from the client.
    Session(halyard::StreamSocket& client, const std::string& peer, std::size_t maxQueued, Journal& journal,
            LoopMetrics& metrics);
    ~Session() override;

  private:
    void echo();
    void finish();
    void noteError(halyard::SocketError error);
    void answer();
    void count(std::int64_t written);
    void end();

    halyard::StreamSocket& client_;
    Journal& journal_;
    LoopMetrics& metrics_;
    std::size_t maxQueued_;
    std::string peer_;
    std::string how_;         ///< the connection came to its end
    std::uint64_t taken_ = 0; ///< from the client
    std::uint64_t echoed_ = 0;
};

} // namespace echo
