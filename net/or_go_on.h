#pragma once

#include "socket_engine.h"

#include <halyard/net/stream_socket.h>

namespace halyard {

/// An exception that leaves a slot skips the rest of what is under way; the loop takes it up again then.
template <class Emission>
void StreamSocket::orGoOn(const Still& still, Emission emission) {
    try {
        emission();
    } catch (...) {
        if (still && engine_ != nullptr)
            engine_->schedule();
        throw;
    }
}

} // namespace halyard
