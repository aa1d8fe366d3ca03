// The blocking half of StreamServer: it does for one server what the loop does for all.
#include <halyard/net/stream_server.h>

#include "poll_until.h"
#include "socket_engine.h"

#include <halyard/core/clock.h>
#include <halyard/core/dispatchable.h>

#include <optional>
#include <system_error>

namespace halyard {

namespace {

// No loop runs here that could be told when there is room.
constexpr std::chrono::milliseconds limitedRetry(20);

} // namespace

/// Whether a wait has succeeded; the time that was over for one before is no error any more then.
bool StreamServer::hasFound() {
    if (!hasPendingConnections())
        return false;
    if (error_ == SocketError::SocketTimeout)
        setError(SocketError::None, {});
    return true;
}

bool StreamServer::waitForNewConnection(int msec, bool* timedOut) {
    bool timeIsOver = false;
    if (timedOut == nullptr)
        timedOut = &timeIsOver;
    *timedOut = false;
    if (!isOnItsThread("waitForNewConnection() of a server"))
        return false;
    const Pointer<StreamServer> self(this);
    std::optional<SocketEngine::Time> until;
    if (msec >= 0 && !hasPendingConnections())
        until = WaitClock::after(std::chrono::milliseconds(msec));
    std::optional<SocketEngine::Time> retry; // while the system is exhausted, or the limits are
    for (Overtime overtime;;) {
        if (hasFound())
            return true;
        if (!isListening() || !hasRoom())
            return false;
        const auto next = retry && (!until || *retry < *until) ? retry : until;
        const bool isOver = overtime.isOver(until);
        int error = 0;
        const bool came =
            !isOver && engine_->wait(retry ? readiness::None : readiness::Readable, next, &error) != readiness::None;
        if (error != 0) {
            setError(socketErrorFromErrno(error),
                     "cannot wait for a client: " + std::generic_category().message(error));
            return false;
        }
        const std::uint32_t before = arrivals_;
        if (came || (retry && !isOver)) {
            const DispatchScope asInTheLoop;
            acceptSome();
        }
        if (!self)
            return false;
        if (arrivals_ != before || hasPendingConnections()) // a slot of acceptError may queue one too
            return hasFound();
        if (pausedByError_ && !isExhausted())
            return false;
        if (isOver || (!came && next == until)) {
            *timedOut = true;
            setError(SocketError::SocketTimeout,
                     isExhausted() ? std::generic_category().message(acceptCause_) : std::string());
            return false;
        }
        retry = isExhausted() ? std::optional(WaitClock::now() + retryAfter_)
                : isLimited() ? std::optional(WaitClock::now() + limitedRetry)
                              : std::nullopt;
    }
}

} // namespace halyard
