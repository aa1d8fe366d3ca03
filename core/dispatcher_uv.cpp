// How the dispatcher waits, its side of libuv, and how it lives in a host's loop.
#include "dispatcher.h"
#include "manual_time.h"

#include <halyard/core/log.h>

#include "unix_signal_handle.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

namespace halyard {

using namespace std::chrono_literals;

/// The handles that the loop itself needs. They outlive the dispatcher until libuv has let go of them.
struct Dispatcher::Handles {
    uv_loop_t ownLoop;
    uv_timer_t alarm; ///< in a host's loop for the next deadline; in our own so that it has a handle that is active
    uv_poll_t poller; // these four in a host's loop only
    uv_prepare_t beforePoll;
    uv_check_t afterPoll;
    uv_idle_t noWait;
    int open = 0;

    template <class Handle>
    void close(Handle& handle) noexcept {
        auto* const base = reinterpret_cast<uv_handle_t*>(&handle);
        base->data = this;
        ++open;
        uv_close(base, [](uv_handle_t* closed) {
            auto* const handles = static_cast<Handles*>(closed->data);
            if (--handles->open == 0 && handles->hosted)
                delete handles;
        });
    }
    bool hosted;
};

Dispatcher::Dispatcher(uv_loop_t* host)
    : inbox_(host != nullptr ? asleep() : nullptr),
      hosted_(host != nullptr),
      loop_(host),
      poller_(std::in_place),
      handles_(new Handles) {
    handles_->hosted = hosted_;
    const auto check = [this](int status) {
        if (status == 0)
            return;
        delete handles_;
        throw std::system_error(-status, std::generic_category(), "halyard: cannot make an event loop");
    };
    if (!hosted_) {
        check(uv_loop_init(&handles_->ownLoop));
        loop_ = &handles_->ownLoop;
        if (const int error = poller_->setGuest(uv_backend_fd(loop_)); error != 0) {
            uv_loop_close(loop_);
            check(-error);
        }
        uv_timer_init(loop_, &handles_->alarm);
        constexpr std::uint64_t never = std::numeric_limits<std::int64_t>::max();
        uv_timer_start(
            &handles_->alarm, [](uv_timer_t*) {}, never, 0);
        return;
    }
    check(uv_poll_init(loop_, &handles_->poller, poller_->descriptor()));
    uv_timer_init(loop_, &handles_->alarm);
    uv_prepare_init(loop_, &handles_->beforePoll);
    uv_check_init(loop_, &handles_->afterPoll);
    uv_idle_init(loop_, &handles_->noWait);
    handles_->poller.data = this;
    handles_->beforePoll.data = this;
    handles_->afterPoll.data = this;
    uv_poll_start(&handles_->poller, UV_READABLE, [](uv_poll_t* handle, int, int) {
        auto& its = *static_cast<Dispatcher*>(handle->data);
        its.poller_->gather(0, its);
    });
    uv_prepare_start(&handles_->beforePoll,
                     [](uv_prepare_t* handle) { static_cast<Dispatcher*>(handle->data)->dispatchForHost(true); });
    uv_check_start(&handles_->afterPoll,
                   [](uv_check_t* handle) { static_cast<Dispatcher*>(handle->data)->dispatchForHost(false); });
    for (auto* handle :
         {reinterpret_cast<uv_handle_t*>(&handles_->poller), reinterpret_cast<uv_handle_t*>(&handles_->alarm),
          reinterpret_cast<uv_handle_t*>(&handles_->beforePoll), reinterpret_cast<uv_handle_t*>(&handles_->afterPoll),
          reinterpret_cast<uv_handle_t*>(&handles_->noWait)})
        uv_unref(handle);
}

void Dispatcher::closeHandles() noexcept {
    while (ready_ != nullptr)
        unschedule(*ready_);
    while (!deadlines_.empty())
        deadlines_.remove(deadlines_.first());
    for (Dispatchable* const waiter : slotWaiters_)
        if (waiter != nullptr)
            waiter->slotPlace_ = 0;
    slotWaiters_.clear();
    isAwaited = false;
    poller_->detachAll();
    uv_walk(
        loop_, [](uv_handle_t* handle, void*) { UnixSignalHandle::detach(handle); }, nullptr);
    Handles* const handles = std::exchange(handles_, nullptr);
    handles->close(handles->alarm);
    if (hosted_) {
        handles->close(handles->poller);
        handles->close(handles->beforePoll);
        handles->close(handles->afterPoll);
        handles->close(handles->noWait);
        poller_.reset();
        return; // the host's next turn frees them
    }
    poller_.reset();
    while (handles->open != 0)
        uv_run(loop_, UV_RUN_NOWAIT);
    if (uv_loop_close(loop_) != 0) {
        logMessage(LogLevel::Error, "halyard.core", "a loop ends while handles of others are open in its uv loop");
        return; // they still use it
    }
    delete handles;
}

// --- waiting ---

/// libuv's turn. What is called in it, a handle of others, must not begin another one.
void Dispatcher::runUv() noexcept {
    uvHasNews_ = false;
    inUv_ = true;
    uv_run(loop_, UV_RUN_NOWAIT);
    inUv_ = false;
}

void Dispatcher::uvHasNews() noexcept {
    uvHasNews_ = true;
    wakeBorrower();
}

int Dispatcher::backendFd() const noexcept { return hosted_ ? uv_backend_fd(loop_) : poller_->descriptor(); }

void Dispatcher::gather(std::optional<Clock::time_point> until) {
    if (manualClock != nullptr && manualClock->jumps()) [[unlikely]]
        gatherJumping(*manualClock, until);
    else
        gatherReady(until);
    collectDue();
}

/// Waits until `until` at most. libuv, where it takes part, has its turn after that: what its callbacks bring about is
/// not waited over.
void Dispatcher::gatherReady(std::optional<Clock::time_point> until) {
    const bool withUv = hasUvPart();
    int wait = waitingTime(until);
    if (wait != 0 && !fallAsleep())
        wait = 0;
    const bool uvIsReady = poller_->gather(wait, *this);
    if (wait != 0)
        beAwake();
    if (uvIsReady || withUv)
        runUv();
}

/// In milliseconds, −1 for ever: until `until`, the next deadline, what libuv has, or not at all.
int Dispatcher::waitingTime(std::optional<Clock::time_point> until) const {
    if (hasQueued() || (manualClock != nullptr && hasWork()))
        return 0;
    if (const auto deadline = nextDeadline(); deadline && (!until || *deadline < *until))
        until = deadline;
    int wait = -1;
    if (until) {
        const Clock::time_point now = WaitClock::now();
        if (*until <= now)
            return 0; // it may be so long ago that the difference is none
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - now).count();
        wait = static_cast<int>(std::min<std::int64_t>(left, std::numeric_limits<int>::max()));
    }
    if (hasUvPart()) {
        uv_update_time(loop_);
        const int uvWait = uv_backend_timeout(loop_); // 0, too, where it has to tell the kernel of a handle first
        if (uvWait >= 0 && (wait < 0 || uvWait < wait))
            wait = uvWait;
    }
    return wait;
}

/// Instead of waiting it goes to where the wait would end.
void Dispatcher::gatherJumping(ManualClock& clock, std::optional<Clock::time_point> until) {
    gatherReady(WaitClock::now());
    if (hasQueued() || (until && *until <= clock.now_))
        return;
    if (!deadlines_.empty() && (!until || deadlines_.first().when() < *until))
        until = deadlines_.first().when();
    if (until)
        clock.pass(*until);
    else
        gatherReady(std::nullopt);
}

/// The one that waiting comes to.
std::optional<Dispatcher::Clock::time_point> Dispatcher::nextDeadline() const noexcept {
    if (deadlines_.empty() || manualClock != nullptr)
        return std::nullopt;
    return deadlines_.first().when();
}

void Dispatcher::passTime(Clock::time_point until) {
    ManualClock* const clock = manualClock;
    if (hosted_ || inUv_) {
        clock->now_ = std::max(clock->now_, until);
        timeHasPassed();
        return;
    }
    constexpr int many = 100;
    do {
        clock->pass(deadlines_.empty() ? until : std::min(deadlines_.first().when(), until));
        clock->now_ = std::min(clock->now_, until);
        for (int turns = 0; turns == 0 || (turns != many && hasQueued()); ++turns) {
            turn(WaitClock::now());
            if (manualClock != clock)
                return; // a slot has ended it
        }
    } while (clock->now_ < until);
}

void Dispatcher::timeHasPassed() noexcept {
    if (hosted_)
        wake();
}

void Dispatcher::armAlarm(std::optional<Clock::time_point> when) noexcept {
    if (!when) {
        if (alarm_)
            uv_timer_stop(&handles_->alarm);
        alarm_.reset();
        return;
    }
    if (alarm_ == when && uv_is_active(reinterpret_cast<uv_handle_t*>(&handles_->alarm)) != 0)
        return;
    alarm_ = when;
    uv_update_time(loop_);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*when - WaitClock::now());
    // The dispatch before polling sees that it is due.
    uv_timer_start(
        &handles_->alarm, [](uv_timer_t*) {}, static_cast<std::uint64_t>(std::max<std::int64_t>(wait.count(), 0)), 0);
}

std::optional<std::chrono::milliseconds> Dispatcher::timeout() {
    if (state_ == State::Open && !hosted_)
        state_ = State::Lent;
    int wait = waitingTime(std::nullopt);
    if (wait != 0 && !fallAsleep())
        wait = 0;
    return wait < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(wait));
}

void Dispatcher::wake() noexcept {
    const std::lock_guard lock(endMutex_);
    wakeLocked();
}

void Dispatcher::wakeLocked() noexcept {
    if (!isClosed())
        poller_->wake();
}

void Dispatcher::driveOnce() noexcept {
    const Kept kept(*this);
    try {
        turn(WaitClock::now());
    } catch (...) {
        exceptionLeft(std::current_exception());
    }
}

/// What is asked while the state is not Open: is it closed? If not, a foreign loop sleeps, and is woken.
bool Dispatcher::isClosedElseWakes() noexcept {
    wakeBorrower();
    return isClosed();
}

// --- descriptors ---

int Dispatcher::watch(FdWatcher& watcher, int descriptor, std::uint32_t interest) noexcept {
    if (!poller_)
        return EINVAL;
    const int error = poller_->add(watcher, descriptor, interest);
    if (hosted_)
        keepHostAlive();
    return error;
}

int Dispatcher::changeInterest(FdWatcher& watcher, std::uint32_t interest) noexcept {
    const int error = poller_->change(watcher, interest);
    if (hosted_)
        keepHostAlive();
    return error;
}

void Dispatcher::unwatch(FdWatcher& watcher) noexcept {
    poller_->remove(watcher);
    if (hosted_)
        keepHostAlive();
}

// --- in a host's loop ---

/// An exception must not cross libuv's frames: noexcept ends the program where one would. A turn in which something has
/// run before the polling does not wait: the host may have waited for just that.
void Dispatcher::dispatchForHost(bool isBeforePolling) noexcept {
    const Kept kept(*this);
    bool ran = true;
    try {
        beAwake();
        collectDue();
        ran = dispatch();
    } catch (...) {
        exceptionLeft(std::current_exception());
    }
    if (!isClosed()) {
        if ((isBeforePolling && ran) || hasWork() || !fallAsleep())
            uv_idle_start(&handles_->noWait, [](uv_idle_t*) {});
        else
            uv_idle_stop(&handles_->noWait);
        armAlarm(nextDeadline());
    }
}

/// What is watched for the users keeps a host's loop alive.
void Dispatcher::keepHostAlive() noexcept {
    auto* const handle = reinterpret_cast<uv_handle_t*>(&handles_->poller);
    if (poller_->watched() != 0)
        uv_ref(handle);
    else
        uv_unref(handle);
}

void Dispatcher::exceptionLeft(const std::exception_ptr& exception) {
    const ExceptionHandler handler = exceptionHandler_; // a copy: it may set another one
    if (handler == nullptr)
        endProgram("a slot in a host's loop", exception);
    try {
        handler(exception);
    } catch (...) {
        endProgram("the exception handler of a loop", std::current_exception());
    }
}

void endProgram(const std::string& where, const std::exception_ptr& exception) {
    std::string what = "of no known type";
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& error) {
        what = error.what();
    } catch (...) { // it stays so
    }
    logMessage(LogLevel::Critical, "halyard.core", "an exception left " + where + ": " + what);
    std::terminate();
}

} // namespace halyard
