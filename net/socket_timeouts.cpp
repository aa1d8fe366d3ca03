#include "socket_timeouts.h"

#include "socket_engine.h"

#include <halyard/net/stream_socket.h>

#include <algorithm>

namespace halyard {

void SocketTimeouts::start(Kind kind) {
    touch(kind);
    if (kind == Closing)
        untaken_.reset();
    if (limits_[kind].count() > 0 && (!isArmed() || when() > end(kind)))
        arm(end(kind));
}

void SocketTimeouts::sent(std::size_t bytes) noexcept {
    touch(Writing);
    if (owed_ == 0)
        return;
    touch(Closing);
    untaken_.reset();
    owed_ -= std::min(bytes, owed_);
}

std::optional<SocketTimeouts::Kind> SocketTimeouts::first() const noexcept {
    std::optional<Kind> found;
    for (const Kind kind : {Connecting, Reading, Writing, Closing})
        // cppcheck-suppress mismatchingContainerExpression ; neither is an iterator
        if (limits_[kind].count() > 0 && socket_.counts(kind) && (!found || end(kind) < end(*found)))
            found = kind;
    return found;
}

std::optional<SocketTimeouts::Clock::time_point> SocketTimeouts::next() const noexcept {
    const std::optional<Kind> kind = first();
    return kind ? std::optional(WaitClock::when(end(*kind))) : std::nullopt;
}

void SocketTimeouts::dispatch() {
    const std::optional<Kind> kind = first();
    if (!kind)
        return;
    if (end(*kind) > Clock::now())
        arm(end(*kind));
    else if (*kind == Closing && hasTaken())
        arm(end(*first()));
    else
        socket_.timeIsOver(*kind); // which may be the end of this
}

/// Whether the peer has taken something of what it is owed, or is about to be looked at.
bool SocketTimeouts::hasTaken() {
    const std::size_t untaken = socket_.engine_->untaken();
    if (!untaken_) {
        untaken_ = untaken;
        return true;
    }
    if (owed_ == 0 || untaken >= *untaken_)
        return false;
    sent(0);
    return true;
}

} // namespace halyard
