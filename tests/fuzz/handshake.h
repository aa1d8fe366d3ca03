#pragma once

#include "demand.h"
#include "proxy_handshake.h"

namespace halyard::fuzz {

/// Has a handshake with a proxy that says these bytes, which come in pieces of up to `piece` bytes, as an engine does.
inline void converse(ProxyHandshake& handshake, std::string_view stream, std::size_t piece) {
    using State = ProxyHandshake::State;
    bool isNew = true;
    for (int connections = 0; connections != 4;) {
        if (isNew)
            handshake.begin();
        isNew = false;
        demand(handshake.toSend().size() < 4096);
        handshake.sent(handshake.toSend().size());
        const std::string_view seen = stream.substr(0, piece);
        if (seen.empty()) {
            handshake.ended();
        } else {
            const std::size_t taken = handshake.receive(seen);
            demand(taken <= seen.size());
            demand(taken != 0 || handshake.state() == State::Failed);
            stream.remove_prefix(taken);
        }
        switch (handshake.state()) {
        case State::Talking:
        case State::Bound:
            break;
        case State::Again:
            isNew = true;
            ++connections;
            break;
        case State::Stands:
            demand(handshake.toSend().empty());
            return;
        case State::Failed: {
            const std::string_view reason = handshake.failure().reason;
            demand(handshake.failure().error != SocketError::None);
            demand(!reason.empty() && isPrintable(reason));
            demand(reason.find("secret") == std::string_view::npos);
            return;
        }
        }
    }
    demand(false); // it asks for one connection after the other
}

} // namespace halyard::fuzz
