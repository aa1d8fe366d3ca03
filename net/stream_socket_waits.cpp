// The blocking half of StreamSocket: it does for one socket what the loop does for all.
#include <halyard/net/stream_socket.h>

#include "poll_until.h"
#include "socket_engine.h"
#include "socket_timeouts.h"

#include <halyard/core/dispatchable.h>

#include <optional>
#include <utility>

namespace halyard {

namespace {

std::optional<Clock::time_point> deadlineIn(int msec) {
    if (msec < 0)
        return std::nullopt;
    return WaitClock::after(std::chrono::milliseconds(msec));
}

} // namespace

/// What the loop would do in its next turn without any readiness.
bool StreamSocket::hasDueWork() const noexcept {
    return hindered_.cause != 0 || unreported_ != 0 || tellFull_ || hasDrained() ||
           (state_ == SocketState::Closing && output_.empty()) || hasBegunToEnd();
}

/// Does for this socket alone what the loop does, until `verdict` has one.
template <class Verdict>
bool StreamSocket::wait(std::optional<Time> until, Verdict verdict) {
    if (!isOnItsThread("a wait of a socket"))
        return false;
    const Pointer<StreamSocket> self(this);
    if (mayTransmit() && !hindered_.sendBlocked) { // what slots wrote and what has not left yet
        transmitQueued();
        tellOfTransmission();
    }
    for (Overtime overtime;;) {
        if (const std::optional<bool> is = verdict()) {
            if (*is && failure_.what == Failure::What::Wait)
                failure_ = {};
            return *is;
        }
        if (engine_ == nullptr)
            return false;
        // The socket's own timeouts run on.
        const std::optional<Time> timeout = timeouts() != nullptr ? timeouts()->next() : std::nullopt;
        const bool timeoutFirst = timeout && (!until || *timeout < *until);
        const std::optional<Time> end = timeoutFirst ? timeout : until;
        const bool isOver = overtime.isOver(end);
        const bool isDue = !isOver && hasDueWork();
        int error = 0;
        // Who always has something due hears its peer too.
        const std::uint32_t ready =
            isOver ? readiness::None : engine_->wait(interest(), isDue ? std::optional(Time{}) : end, &error);
        if (error != 0) {
            fail(Failure::What::Broken, socketErrorFromErrno(error), error);
            return false;
        }
        if (ready != readiness::None || isDue || (!isOver && hasDueWork())) {
            const DispatchScope asInTheLoop;
            engineReady(ready);
        } else if (timeoutFirst) {
            const DispatchScope asInTheLoop;
            timeouts()->dispatch();
            overtime = {};
        } else if (isConnecting()) {
            finish(Ending::Reset);
            if (self)
                setFailure(Failure::What::ConnectWait, SocketError::SocketTimeout);
            return false;
        } else {
            fail(Failure::What::Wait, SocketError::SocketTimeout);
            return false;
        }
        if (!self)
            return false;
    }
}

bool StreamSocket::waitForConnected(int msec) {
    return wait(deadlineIn(msec), [this]() -> std::optional<bool> {
        if (isConnecting())
            return std::nullopt;
        return state_ == SocketState::Connected;
    });
}

bool StreamSocket::waitForReadyRead(int msec) {
    return wait(deadlineIn(msec), [this, before = receptions_]() -> std::optional<bool> {
        if (receptions_ != before)
            return true;
        if (isConnecting() || (state_ == SocketState::Connected && reads()))
            return std::nullopt;
        return false;
    });
}

bool StreamSocket::waitForBytesWritten(int msec) {
    return wait(deadlineIn(msec), [this, before = reports_]() -> std::optional<bool> {
        if (reports_ != before)
            return true;
        if (isConnecting())
            return output_.empty() ? std::optional(false) : std::nullopt;
        return output_.empty() && unreported_ == 0 && hindered_.cause == 0 ? std::optional(false) : std::nullopt;
    });
}

bool StreamSocket::waitForDisconnected(int msec) {
    return wait(deadlineIn(msec), [this]() -> std::optional<bool> {
        return state_ == SocketState::Unconnected ? std::optional(true) : std::nullopt;
    });
}

} // namespace halyard
