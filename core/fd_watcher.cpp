#include <halyard/core/fd_watcher.h>

#include "dispatcher.h"

#include <cerrno>
#include <memory>
#include <utility>

namespace halyard {

namespace {

constexpr bool sameBits = readiness::Readable == UV_READABLE && readiness::Writable == UV_WRITABLE &&
                          readiness::HangUp == UV_DISCONNECT && readiness::Urgent == UV_PRIORITIZED;
static_assert(sameBits, "interest and readiness travel to libuv and back as they are");

} // namespace

void FdWatcher::Poll::onReady(uv_poll_t* handle, int status, int events) {
    FdWatcher* const watcher = reinterpret_cast<Poll*>(handle)->watcher;
    if (status < 0) {
        // libuv reports EPOLLERR so, and has stopped watching. What is wrong, the owner's next call will say.
        watcher->ready_ |= readiness::Error;
        watcher->interest_ = readiness::None;
    } else {
        watcher->ready_ |= static_cast<std::uint32_t>(events);
    }
    watcher->dispatcher().schedule(*watcher);
}

/// The loop ends before the watcher does.
void FdWatcher::Poll::detach(uv_handle_t* handle) noexcept {
    if (uv_handle_get_type(handle) != UV_POLL || uv_is_closing(handle) != 0 ||
        reinterpret_cast<uv_poll_t*>(handle)->poll_cb != &Poll::onReady)
        return;
    if (FdWatcher* const watcher = reinterpret_cast<Poll*>(handle)->watcher)
        watcher->unwatch();
}

void FdWatcher::leaveLoop() noexcept {
    unwatch();
    Dispatchable::leaveLoop();
}

FdWatcher::~FdWatcher() { unwatch(); }

int FdWatcher::watch(int descriptor, std::uint32_t interest) {
    unwatch();
    uv_loop_t* const loop = dispatcher().uvLoop();
    if (loop == nullptr)
        return EINVAL;
    auto poll = std::make_unique<Poll>();
    if (const int status = uv_poll_init(loop, &poll->handle, descriptor); status != 0)
        return -status;
    poll_ = poll.release();
    poll_->watcher = this;
    poll_->handle.poll_cb = &Poll::onReady; // by which detach() knows ours before they are started, too
    interest_ = readiness::None;
    setInterest(interest);
    return 0;
}

void FdWatcher::setInterest(std::uint32_t interest) noexcept {
    if (poll_ == nullptr || interest == interest_)
        return;
    interest_ = interest;
    uv_poll_start(&poll_->handle, static_cast<int>(interest), &Poll::onReady);
    dispatcher().wakeBorrower();
}

void FdWatcher::unwatch() noexcept {
    unschedule();
    ready_ = readiness::None;
    interest_ = readiness::None;
    if (poll_ == nullptr)
        return;
    Poll* const poll = std::exchange(poll_, nullptr);
    poll->watcher = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll->handle),
             [](uv_handle_t* handle) { delete reinterpret_cast<Poll*>(handle); });
    dispatcher().handleIsClosing();
}

} // namespace halyard
