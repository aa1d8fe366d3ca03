#pragma once

#include "metrics.h"
#include "serve_options.h"

#include <halyard/core/log.h>
#include <halyard/core/object.h>
#include <halyard/core/timer.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/drain.h>
#include <halyard/net/stream_server.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace halyard {
class TcpServer;
}

namespace echo {

class Journal;

/// What one event loop does: its listeners, their clients, and the end of both. It is set up on the main thread and
/// then moves to its own; the loops share addresses and limits, and no data but what they count.
class EchoLoop : public halyard::Object {
  public:
    EchoLoop(const ServeOptions& options, std::shared_ptr<halyard::ConnectionLimits> limits, Journal& journal,
             LoopMetrics& metrics);

    // Each is true, or errorString() says why not.

    /// Where another loop has found a port already, `at` differs from what was written.
    bool listen(const ListenAddress& address, const halyard::Endpoint& at);
    /// Serves at a listening socket that somebody else has opened. It is taken over, or closed.
    bool adopt(int descriptor, const ListenAddress& address);
    const std::string& errorString() const noexcept { return error_; }

    struct Listener {
        const ListenAddress* address;
        halyard::StreamServer* server;
    };
    /// In the order in which they came; for before it moves, and what does not change afterwards.
    const std::vector<Listener>& listeners() const noexcept { return listeners_; }

    void drain(std::chrono::milliseconds grace);
    void letGo(); ///< Another process listens in its place from now on.

    halyard::Signal<> drained{this};

  private:
    halyard::TcpServer* makeTcpServer();
    bool keep(halyard::StreamServer* server, bool listens, const ListenAddress& address);
    void take(halyard::StreamServer& server);
    void noteFull();
    void beat();
    void warn(halyard::LogThrottle& throttle, const std::string& sentence);

    const ServeOptions& options_;
    std::shared_ptr<halyard::ConnectionLimits> limits_;
    Journal& journal_;
    LoopMetrics& metrics_;
    std::vector<Listener> listeners_;
    halyard::Drain* drain_;
    halyard::Timer* heart_;
    std::chrono::steady_clock::time_point nextBeat_;
    halyard::LogThrottle refusals_;
    halyard::LogThrottle acceptErrors_;
    std::string error_;
};

/// How people call where a server listens.
std::string nameOf(const halyard::StreamServer& server);

} // namespace echo
