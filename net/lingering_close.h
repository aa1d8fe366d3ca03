#pragma once

#include "socket_engine.h"

#include <halyard/core/deadline.h>
#include <halyard/net/write_queue.h>

#include <chrono>
#include <list>
#include <memory>

namespace halyard {

/// What is left of a socket that was deleted before everything it had been given to send was sent. It belongs to the
/// thread, and lives until all has gone, the connection has broken or the closing timeout is over.
class LingeringClose final : private EngineClient, private Deadline {
  public:
    /// Sends what the kernel takes now; the rest later, where there is one. `limit` 0: as long as it takes.
    static void begin(std::unique_ptr<SocketEngine> engine, WriteQueue output, bool isConnecting,
                      std::chrono::milliseconds limit);

    LingeringClose(std::unique_ptr<SocketEngine> engine, WriteQueue output, bool isConnecting) noexcept;
    ~LingeringClose() override = default;

  private:
    static std::list<LingeringClose>& ofThisThread();

    void engineReady(std::uint32_t ready) override;
    void dispatch() override;
    bool isDone();
    void remove();

    std::unique_ptr<SocketEngine> engine_;
    WriteQueue output_;
    std::list<LingeringClose>::iterator place_;
    bool isConnecting_;
};

} // namespace halyard
