#pragma once

#include <uv.h>

namespace halyard {

class UnixSignal;

/// A uv_signal_t that outlives its object until libuv has let go of it.
struct UnixSignalHandle {
    uv_signal_t handle;
    UnixSignal* owner;

    static void onSignal(uv_signal_t* handle, int number);
    static void detach(uv_handle_t* handle) noexcept; ///< the loop ends before the object does
    void close() noexcept;
};

} // namespace halyard
