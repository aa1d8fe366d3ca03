#pragma once

#include "local_name.h"
#include "native_engine.h"

#include <halyard/core/deadline.h>

#include <cstdint>
#include <optional>

#include <sys/stat.h>

namespace halyard {

/// The engine of a connection to a Unix-domain server. Where that one's backlog is full there is nothing to watch for
/// (connect(2) says EAGAIN): it asks again every so often.
class LocalEngine final : public NativeEngine {
  public:
    explicit LocalEngine(EngineClient& client) noexcept : NativeEngine(client), retry_(*this) {}

    int connectToName(const LocalName& name) noexcept; ///< As connectTo().

    int finishConnect() noexcept override;
    int observe(std::uint32_t wanted) override;
    std::uint32_t wait(std::uint32_t wanted, std::optional<Time> until, int* error) override;
    void close(bool reset) noexcept override;
    void leaveLoop() noexcept override;
    void joinLoop() override;

  private:
    class Retry final : public Deadline {
      public:
        explicit Retry(LocalEngine& engine) noexcept : engine_(engine) {}
        using Deadline::joinLoop;
        using Deadline::leaveLoop;

      private:
        void dispatch() override { engine_.client().engineReady(readiness::Writable); }
        LocalEngine& engine_;
    };

    int tryToConnect() noexcept;

    LocalName name_{{}};
    Retry retry_;
    bool stands_ = false; ///< connect(2) has said so
};

/// The engine of a Unix-domain server. It removes the file that it has made.
class LocalListener final : public NativeEngine {
  public:
    using NativeEngine::NativeEngine;
    ~LocalListener() override { LocalListener::close(false); }

    /// As listenAt(). A socket file that nobody has open any more is replaced.
    int listenAtName(const LocalName& name, int backlog, std::optional<mode_t> permissions) noexcept;

    int release() noexcept override; ///< The file stays.
    void close(bool reset) noexcept override;

  private:
    int bindToName() noexcept;

    LocalName name_{{}};
    dev_t device_ = 0; ///< of the file
    ino_t inode_ = 0;  ///< 0 where there is none
};

} // namespace halyard
