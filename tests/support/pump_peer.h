#pragma once

#include "plain_socket.h"
#include "pump.h"

#include <cstddef>
#include <string>

namespace halyard::test {

/// What a peer gets up to its end, or to `size` bytes, while this thread's loop runs: which does not watch it, and
/// would sleep over what the kernel brings late.
inline std::string pumpPeer(const PlainSocket& peer, std::size_t size = std::string::npos) {
    std::string got;
    bool ended = false;
    pumpUntilElsewhere([&] {
        got += peer.receiveNow(&ended);
        return ended || got.size() >= size;
    });
    return got;
}

/// Whether the peer's connection is reset, at once or while the loop runs.
inline bool pumpReset(const PlainSocket& peer) {
    return pumpUntilElsewhere([&] { return peer.isReset(); });
}

} // namespace halyard::test
