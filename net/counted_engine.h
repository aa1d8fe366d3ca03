#pragma once

#include "native_engine.h"

#include <halyard/net/connection_limits.h>

#include <utility>

namespace halyard {

/// The engine of a connection that ConnectionLimits count: as long as it has its descriptor.
class CountedEngine final : public NativeEngine {
  public:
    using NativeEngine::NativeEngine;
    ~CountedEngine() override { CountedEngine::close(false); }

    void count(ConnectionPermit permit) noexcept { permit_ = std::move(permit); } ///< From now on.

    int release() noexcept override {
        permit_.giveBack();
        return NativeEngine::release();
    }
    void close(bool reset) noexcept override {
        NativeEngine::close(reset);
        permit_.giveBack();
    }

  private:
    ConnectionPermit permit_;
};

} // namespace halyard
