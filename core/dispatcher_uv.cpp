// The dispatcher's side of libuv: its handles, how it waits, and how it lives in a host's loop.
#include "dispatcher.h"
#include "manual_time.h"

#include <halyard/core/log.h>

#include "unix_signal_handle.h"

#include <algorithm>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

namespace halyard {

using namespace std::chrono_literals;

/// The handles that the loop itself needs. They outlive the dispatcher until libuv has let go of them.
struct Dispatcher::Handles {
    uv_loop_t ownLoop;
    uv_async_t wakeUp;
    uv_timer_t alarm;
    uv_prepare_t beforePoll; // these three in a host's loop only
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

Dispatcher::Dispatcher(uv_loop_t* host) : loop_(host), hosted_(host != nullptr), handles_(new Handles) {
    handles_->hosted = hosted_;
    const auto check = [this](int status) {
        if (status == 0)
            return;
        if (!hosted_ && loop_ != nullptr)
            uv_loop_close(loop_);
        delete handles_;
        throw std::system_error(-status, std::generic_category(), "halyard: cannot make an event loop");
    };
    if (!hosted_) {
        check(uv_loop_init(&handles_->ownLoop));
        loop_ = &handles_->ownLoop;
    }
    check(uv_async_init(loop_, &handles_->wakeUp, [](uv_async_t*) {}));
    handles_->wakeUp.data = this;
    uv_timer_init(loop_, &handles_->alarm);
    handles_->alarm.data = hosted_ ? nullptr : loop_;
    if (!hosted_)
        return;
    uv_prepare_init(loop_, &handles_->beforePoll);
    uv_check_init(loop_, &handles_->afterPoll);
    uv_idle_init(loop_, &handles_->noWait);
    handles_->beforePoll.data = this;
    handles_->afterPoll.data = this;
    uv_prepare_start(&handles_->beforePoll,
                     [](uv_prepare_t* handle) { static_cast<Dispatcher*>(handle->data)->dispatchForHost(); });
    uv_check_start(&handles_->afterPoll,
                   [](uv_check_t* handle) { static_cast<Dispatcher*>(handle->data)->dispatchForHost(); });
    for (auto* handle :
         {reinterpret_cast<uv_handle_t*>(&handles_->wakeUp), reinterpret_cast<uv_handle_t*>(&handles_->alarm),
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
    uv_walk(
        loop_,
        [](uv_handle_t* handle, void*) {
            FdWatcher::Poll::detach(handle);
            UnixSignalHandle::detach(handle);
        },
        nullptr);
    Handles* const handles = std::exchange(handles_, nullptr);
    handles->close(handles->wakeUp);
    handles->close(handles->alarm);
    if (hosted_) {
        handles->close(handles->beforePoll);
        handles->close(handles->afterPoll);
        handles->close(handles->noWait);
        return; // the host's next turn frees them
    }
    while (handles->open != 0)
        uv_run(loop_, UV_RUN_NOWAIT);
    if (uv_loop_close(loop_) != 0) {
        logMessage(LogLevel::Error, "halyard.core", "a loop ends while handles of others are open in its uv loop");
        return; // they still use it
    }
    delete handles;
}

// --- waiting ---

/// libuv's turn. What is called in it, be it a handle of others, must not begin another one.
void Dispatcher::runUv(uv_run_mode mode) noexcept {
    inUv_ = true;
    uv_run(loop_, mode);
    inUv_ = false;
}

void Dispatcher::handleIsClosing() noexcept {
    constexpr int many = 64;
    if (++closing_ < many || hosted_ || isClosed() || inUv_)
        return;
    closing_ = 0;
    runUv(UV_RUN_NOWAIT); // gathers what is ready, too, and runs nothing of it
}

void Dispatcher::gather(std::optional<Clock::time_point> until) {
    closing_ = 0;
    if (manualClock != nullptr && manualClock->jumps()) [[unlikely]] {
        gatherJumping(*manualClock, until);
    } else if (hasWork() || (until && *until <= WaitClock::now())) {
        runUv(UV_RUN_NOWAIT);
    } else {
        if (const auto deadline = nextDeadline(); deadline && (!until || *deadline < *until))
            until = deadline;
        armAlarm(until);
        runUv(UV_RUN_ONCE);
    }
    collectDue();
}

/// Instead of waiting it goes to where the wait would end.
void Dispatcher::gatherJumping(ManualClock& clock, std::optional<Clock::time_point> until) {
    runUv(UV_RUN_NOWAIT);
    if (hasQueued() || (until && *until <= clock.now_))
        return;
    if (!deadlines_.empty() && (!until || deadlines_.first().when() < *until))
        until = deadlines_.first().when();
    if (until) {
        clock.pass(*until);
    } else {
        armAlarm(std::nullopt);
        runUv(UV_RUN_ONCE);
    }
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
    // UV_RUN_ONCE runs timers that are due and then still blocks: the callback ends the run. In a host's loop the
    // dispatch before polling does.
    uv_timer_start(
        &handles_->alarm,
        [](uv_timer_t* handle) {
            if (handle->data != nullptr)
                uv_stop(handle->loop);
        },
        static_cast<std::uint64_t>(std::max<std::int64_t>(wait.count(), 0)), 0);
}

std::optional<std::chrono::milliseconds> Dispatcher::timeout() {
    if (state_ == State::Open && !hosted_)
        state_ = State::Lent;
    if (hasWork())
        return 0ms;
    std::optional<std::chrono::milliseconds> wait;
    if (const auto deadline = nextDeadline())
        wait = std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()));
    armAlarm(std::nullopt); // else it would shorten libuv's own answer
    if (const int uv = uv_backend_timeout(loop_); uv >= 0 && (!wait || std::chrono::milliseconds(uv) < *wait))
        wait = std::chrono::milliseconds(uv);
    return wait;
}

void Dispatcher::wake() noexcept {
    const std::lock_guard lock(endMutex_);
    wakeLocked();
}

void Dispatcher::wakeLocked() noexcept {
    if (!isClosed())
        uv_async_send(&handles_->wakeUp);
}

void Dispatcher::driveOnce() noexcept {
    addUser(); // a slot may end the loop
    try {
        turn(WaitClock::now());
    } catch (...) {
        exceptionLeft(std::current_exception());
    }
    removeUser();
}

/// What is asked while the state is not Open: is it closed? If not, a foreign loop sleeps, and is woken.
bool Dispatcher::isClosedElseWakes() noexcept {
    wakeBorrower();
    return isClosed();
}

// --- in a host's loop ---

/// An exception must not cross libuv's frames: noexcept ends the program where one would.
void Dispatcher::dispatchForHost() noexcept {
    addUser(); // a slot may end the loop
    try {
        collectDue();
        dispatch();
    } catch (...) {
        exceptionLeft(std::current_exception());
    }
    if (!isClosed()) {
        if (hasWork())
            uv_idle_start(&handles_->noWait, [](uv_idle_t*) {});
        else
            uv_idle_stop(&handles_->noWait);
        armAlarm(nextDeadline());
    }
    removeUser();
}

void Dispatcher::exceptionLeft(const std::exception_ptr& exception) {
    if (const ExceptionHandler handler = exceptionHandler_) // a copy: it may set another one
        handler(exception);
    else
        endProgram("a slot in a host's loop", exception);
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
