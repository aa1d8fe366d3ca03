#pragma once

#include "socket_engine.h"

#include <halyard/core/deadline.h>
#include <halyard/net/write_queue.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>

namespace halyard {

/// What is left of a socket that was deleted before everything it had been given to send was sent, or that ended while
/// its peer was still sending. It belongs to the thread, and lives until all has gone and the peer has been heard out,
/// the connection has broken, or for the closing timeout the peer took nothing, or would not be silent.
class LingeringClose final : private EngineClient, private Deadline {
  public:
    /// What it is about: each is followed by the next.
    enum class Stage : std::uint8_t { Connecting, Sending, HearingOut };

    /// Sends what the kernel takes now; the rest later, where there is one. `limit` 0: as long as it takes.
    static void begin(std::unique_ptr<SocketEngine> engine, WriteQueue output, Stage stage,
                      std::chrono::milliseconds limit);

    LingeringClose(std::unique_ptr<SocketEngine> engine, WriteQueue output, Stage stage,
                   std::chrono::milliseconds limit) noexcept;
    ~LingeringClose() override = default;

  private:
    static std::list<LingeringClose>& ofThisThread();
    static void lookAtOldest();

    void engineReady(std::uint32_t ready) override;
    void dispatch() override;
    bool isDone();
    void enter(Stage stage) noexcept;
    Clock::time_point next() const noexcept;
    int observe();
    void remove();

    std::unique_ptr<SocketEngine> engine_;
    WriteQueue output_;
    std::list<LingeringClose>::iterator place_;
    std::chrono::milliseconds limit_;
    Clock::time_point end_;              ///< of the stage, unless the peer takes something
    std::optional<std::size_t> untaken_; ///< noted in Sending
    Stage stage_;
};

} // namespace halyard
