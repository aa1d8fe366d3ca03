// How long StreamSocket lets its peer take.
#include <halyard/net/stream_socket.h>

#include "socket_engine.h"
#include "socket_timeouts.h"

#include <cerrno>

namespace halyard {

StreamSocket::Terms& StreamSocket::terms() {
    if (terms_ == nullptr) {
        terms_ = std::make_unique<Terms>();
        hindered_.special = true;
    }
    return *terms_;
}

SocketTimeouts& StreamSocket::useTimeouts() {
    if (timeouts() == nullptr)
        terms().timeouts = std::make_unique<SocketTimeouts>(*this);
    return *timeouts();
}

void StreamSocket::setTimeout(std::uint8_t kind, std::chrono::milliseconds limit) {
    if (!isOnItsThread("setting a timeout of a socket"))
        return;
    const auto which = static_cast<SocketTimeouts::Kind>(kind);
    useTimeouts().set(which, limit);
    if (counts(kind))
        timeouts()->start(which);
}

void StreamSocket::setConnectTimeout(std::chrono::milliseconds limit) { setTimeout(SocketTimeouts::Connecting, limit); }
void StreamSocket::setReadTimeout(std::chrono::milliseconds limit) { setTimeout(SocketTimeouts::Reading, limit); }
void StreamSocket::setWriteTimeout(std::chrono::milliseconds limit) { setTimeout(SocketTimeouts::Writing, limit); }
void StreamSocket::setClosingTimeout(std::chrono::milliseconds limit) { setTimeout(SocketTimeouts::Closing, limit); }

/// Whether the time for it runs now.
bool StreamSocket::counts(std::uint8_t timeout) const noexcept {
    switch (timeout) {
    case SocketTimeouts::Connecting:
        return isConnecting();
    case SocketTimeouts::Reading:
        return state_ == SocketState::Connected && reads();
    case SocketTimeouts::Writing:
        return hindered_.sendBlocked;
    default:
        return state_ == SocketState::Closing;
    }
}

void StreamSocket::timeIsOver(std::uint8_t timeout) {
    if (timeout == SocketTimeouts::Connecting) {
        failConnecting(Failure::What::Connect, SocketError::SocketTimeout, ETIMEDOUT);
        return;
    }
    const SocketState before = state_;
    const Still still(*this);
    timeouts()->start(static_cast<SocketTimeouts::Kind>(timeout)); // told again where a slot throws
    fail(timeout == SocketTimeouts::Reading   ? Failure::What::ReadTimeout
         : timeout == SocketTimeouts::Writing ? Failure::What::WriteTimeout
                                              : Failure::What::ClosingTimeout,
         SocketError::SocketTimeout);
    if (still && state_ == before)
        finish(Ending::Reset);
}

} // namespace halyard
