#include "proxy_handshake.h"

#include <utility>

namespace halyard {

std::size_t ProxyHandshake::receive(std::string_view bytes) {
    if (state_ == State::Bound)
        state_ = State::Talking;
    std::size_t taken = 0;
    while (taken != bytes.size()) {
        if (!toSend().empty()) {
            fail(SocketError::ProxyProtocol, "it says more than it was asked");
            break;
        }
        taken += take(bytes.substr(taken));
        if (state_ != State::Talking)
            break;
    }
    return taken;
}

void ProxyHandshake::ended() { fail(SocketError::ProxyConnectionClosed, closedTooEarly); }

void ProxyHandshake::say(std::string words) {
    output_ = std::move(words);
    sent_ = 0;
    state_ = State::Talking;
}

void ProxyHandshake::become(State state, const Endpoint& address) noexcept {
    state_ = state;
    address_ = address;
}

void ProxyHandshake::fail(SocketError error, std::string reason) {
    state_ = State::Failed;
    failure_ = {error, std::move(reason)};
}

} // namespace halyard
