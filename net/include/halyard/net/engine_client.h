#pragma once

#include <halyard/signals/export.h>

#include <cstdint>

namespace halyard {

/// Who an engine works for: a socket or a server. Called by the loop, on its own frame; the engine may be gone when a
/// call returns.
class HALYARD_API EngineClient {
  public:
    EngineClient(const EngineClient&) = delete;
    EngineClient& operator=(const EngineClient&) = delete;

    /// The engine is ready for what the bits of namespace readiness say, or (None) what was scheduled is due.
    virtual void engineReady(std::uint32_t ready) = 0;

    /// The slot has returned in which the client asked to be told. Emits nothing.
    virtual void engineSlotReturned() noexcept {}

  protected:
    EngineClient() = default;
    ~EngineClient() = default;
};

} // namespace halyard
