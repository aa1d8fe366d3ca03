// The reading half of StreamSocket.
#include <halyard/net/stream_socket.h>

#include "or_go_on.h"
#include "pipe.h"
#include "socket_engine.h"
#include "socket_timeouts.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace halyard {

std::ptrdiff_t StreamSocket::receiveHere() {
    const std::size_t atMost = std::min(engine_->share(), inputLimit() - input_.size());
    const std::ptrdiff_t received = engine_->receive(input_.reserve(atMost));
    input_.commit(static_cast<std::size_t>(std::max<std::ptrdiff_t>(received, 0)));
    return received;
}

void StreamSocket::receive() { takeIn(terms_ == nullptr || terms_->bypass == nullptr ? receiveHere() : receivePast()); }

/// So many bytes have been received; or what receiving said instead.
void StreamSocket::takeIn(std::ptrdiff_t received) {
    if (received > 0) {
        ++receptions_;
        if (timeouts() != nullptr)
            timeouts()->touch(SocketTimeouts::Reading);
        if (!isInReadyRead())
            tellReadyRead();
        else if (isFull())
            observe();
    } else if (received != -EAGAIN) {
        peerEnded(static_cast<int>(-received));
    }
}

/// Through the pipe, which is only filled when it is empty. What is not to be had in this way is received as ever, and
/// so is what comes while the other socket takes nothing: splice(2) stops before an urgent byte, as though nothing more
/// had come, or as though that were the end.
std::ptrdiff_t StreamSocket::receivePast() {
    const Bypass& way = *terms_->bypass;
    StreamSocket* const to = way.to.get();
    Pipe& pipe = *way.pipe;
    if (!input_.empty() || pipe.size() != 0 || to == nullptr || !to->takesBypassed())
        return receiveHere();
    const std::ptrdiff_t received = engine_->receiveInto(pipe.writeEnd());
    if (received == 0 || received == -EAGAIN || received == -EINVAL || received == -EOPNOTSUPP)
        return receiveHere();
    if (received > 0) {
        pipe.filled(static_cast<std::size_t>(received));
        to->writeFrom(way.pipe, static_cast<std::size_t>(received));
    }
    return received;
}

void StreamSocket::setBypass(std::shared_ptr<Pipe> pipe, StreamSocket* to) {
    terms().bypass =
        pipe != nullptr ? std::make_unique<Bypass>(Bypass{std::move(pipe), Pointer<StreamSocket>(to)}) : nullptr;
}

/// The connection broke, or seems to have: what the kernel has of it comes first, and no more, for a peer may go on
/// sending after a send of ours has failed.
void StreamSocket::receiveRest() {
    if (hindered_.cause == 0)
        hindered_.cause = engine_->takeError(); // which the kernel tells once: it is kept until it has been told here
    const Still still(*this);
    const std::size_t before = input_.size();
    const std::size_t rest = engine_->unreceived();
    std::ptrdiff_t received = 0;
    orGoOn(still, [&] {
        do {
            received = engine_->receive(input_.reserve());
            input_.commit(static_cast<std::size_t>(std::max<std::ptrdiff_t>(received, 0)));
        } while (received > 0 && input_.size() - before <= rest);
        if (hindered_.cause == 0 && received < 0 && received != -EAGAIN)
            hindered_.cause = static_cast<int>(-received);
        if (input_.size() == before)
            return;
        ++receptions_;
        if (!isInReadyRead())
            tellReadyRead();
    });
    if (!still || state_ != SocketState::Connected)
        return;
    if (hindered_.cause != 0 || (received == 0 && !hindered_.peerHasEnded))
        peerEnded(hindered_.cause);
    else
        urgentSeen_ = true; // nothing broke after all, and it would be told again and again
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

void StreamSocket::setReadBufferSize(std::size_t bytes) {
    if (!isOnItsThread("setReadBufferSize() of a socket"))
        return;
    terms().inputLimit = bytes != 0 ? bytes : unlimited;
    observe();
}

void StreamSocket::suspendReading() {
    hindered_.suspended = true;
    observe();
}

void StreamSocket::startReading() {
    hindered_.suspended = false;
    observe();
}

void StreamSocket::pauseReading() {
    if (!isOnItsThread("pauseReading() of a socket"))
        return;
    hindered_.paused = true;
    observe();
}

void StreamSocket::resumeReading() {
    if (!isOnItsThread("resumeReading() of a socket"))
        return;
    hindered_.paused = false;
    observe();
}

} // namespace halyard
