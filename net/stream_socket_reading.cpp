// The reading half of StreamSocket.
#include <halyard/net/stream_socket.h>

#include "socket_engine.h"
#include "socket_timeouts.h"

#include <algorithm>
#include <cerrno>

namespace halyard {

void StreamSocket::receive() {
    std::span<std::byte> room = input_.reserve();
    if (inputLimit_ != 0)
        room = room.first(std::min(room.size(), inputLimit_ - input_.size()));
    const std::ptrdiff_t received = engine_->receive(room);
    input_.commit(static_cast<std::size_t>(std::max<std::ptrdiff_t>(received, 0)));
    if (received > 0) {
        ++receptions_;
        if (timeouts_ != nullptr)
            timeouts_->touch(SocketTimeouts::Reading);
        if (inReadyRead_ == nullptr)
            tellReadyRead();
        else if (isFull())
            observe();
    } else if (received == 0 || cause_ != 0) {
        peerEnded(cause_);
    } else if (received != -EAGAIN) {
        peerEnded(static_cast<int>(-received));
    }
}

/// The connection broke, or seems to have, while nothing is being received: what the kernel still has of it comes
/// first.
void StreamSocket::receiveRest() {
    int cause = cause_ != 0 ? cause_ : engine_->takeError();
    const std::size_t before = input_.size();
    std::ptrdiff_t received = 0;
    do {
        received = engine_->receive(input_.reserve());
        input_.commit(static_cast<std::size_t>(std::max<std::ptrdiff_t>(received, 0)));
    } while (received > 0);
    if (cause == 0 && received < 0 && received != -EAGAIN)
        cause = static_cast<int>(-received);
    if (input_.size() != before) {
        ++receptions_;
        const Still still(*this);
        if (inReadyRead_ == nullptr)
            tellReadyRead();
        if (!still || state_ != SocketState::Connected)
            return;
    }
    if (cause != 0 || (received == 0 && !peerHasEnded_))
        peerEnded(cause);
    else
        urgentSeen_ = true; // nothing broke after all, and it would be told again and again
}

void StreamSocket::tellReadyRead() {
    // Every message comes by here, and a guarded pointer would cost it more than this.
    struct Telling {
        explicit Telling(StreamSocket& socket) noexcept : self(socket) { self.inReadyRead_ = &isGone; }
        Telling(const Telling&) = delete;
        Telling& operator=(const Telling&) = delete;
        ~Telling() {
            if (!isGone)
                self.inReadyRead_ = nullptr;
        }
        StreamSocket& self;
        bool isGone = false;
    } const telling(*this);
    readyRead();
    if (telling.isGone)
        return;
    input_.shrink();
    if (isFull())
        observe();
}

/// After the user took something: a full buffer has room again.
void StreamSocket::taken() {
    if (inputLimit_ != 0)
        observe();
}

std::string StreamSocket::readAll() {
    std::string bytes = input_.takeAll();
    taken();
    return bytes;
}

std::string StreamSocket::read(std::size_t max) {
    std::string bytes = input_.take(max);
    taken();
    return bytes;
}

std::ptrdiff_t StreamSocket::read(std::span<std::byte> into) {
    const std::size_t count = input_.take(into);
    taken();
    if (count == 0 && !into.empty() && state_ == SocketState::Unconnected)
        return -1;
    return static_cast<std::ptrdiff_t>(count);
}

bool StreamSocket::canReadLine() const noexcept { return input_.find('\n') != input_.size(); }

std::optional<std::size_t> StreamSocket::indexOf(std::string_view wanted, std::size_t from) const noexcept {
    const std::size_t place = wanted.empty() ? input_.size() : input_.find(wanted, from);
    return place < input_.size() ? std::optional(place) : std::nullopt;
}

std::string StreamSocket::readLine(std::size_t max) {
    const std::size_t line = std::min(input_.find('\n') + 1, input_.size());
    return read(max == 0 ? line : std::min(line, max));
}

std::size_t StreamSocket::skip(std::size_t bytes) {
    const std::size_t count = input_.skip(bytes);
    taken();
    return count;
}

void StreamSocket::setReadBufferSize(std::size_t bytes) {
    inputLimit_ = bytes;
    observe();
}

void StreamSocket::pauseReading() {
    if (!isOnItsThread("pauseReading() of a socket"))
        return;
    paused_ = true;
    observe();
}

void StreamSocket::resumeReading() {
    if (!isOnItsThread("resumeReading() of a socket"))
        return;
    paused_ = false;
    observe();
}

} // namespace halyard
