#pragma once

#include "metrics.h"

#include <halyard/core/object.h>
#include <halyard/net/tcp_server.h>

#include <string_view>

namespace echo {

/// Answers GET /metrics with the metrics, and GET /ready with whether new clients are welcome (200 or 503): what a
/// monitor and a balancer's health check ask for. As much HTTP/1.0 as they need.
class MetricsServer : public halyard::Object {
  public:
    explicit MetricsServer(const Metrics& metrics);

    halyard::TcpServer& server() noexcept { return server_; }
    void setReady(bool ready) noexcept { isReady_ = ready; }

  private:
    void take();
    void read(halyard::TcpSocket& client);
    std::string answer(std::string_view request) const;

    const Metrics& metrics_;
    halyard::TcpServer server_;
    bool isReady_ = true;
};

} // namespace echo
