#include <halyard/core/unix_signal.h>

#include "dispatcher.h"
#include "unix_signal_handle.h"

#include <halyard/core/log.h>

#include <memory>
#include <string>
#include <utility>

namespace halyard {

void UnixSignalHandle::onSignal(uv_signal_t* handle, int) {
    if (UnixSignal* const owner = reinterpret_cast<UnixSignalHandle*>(handle)->owner)
        owner->schedule();
}

void UnixSignalHandle::detach(uv_handle_t* handle) noexcept {
    if (uv_handle_get_type(handle) != UV_SIGNAL || uv_is_closing(handle) != 0 ||
        reinterpret_cast<uv_signal_t*>(handle)->signal_cb != &onSignal)
        return;
    auto* const ours = reinterpret_cast<UnixSignalHandle*>(handle);
    if (ours->owner != nullptr) // else that has moved away
        ours->owner->handle_ = nullptr;
    ours->close();
}

void UnixSignalHandle::close() noexcept {
    owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<UnixSignalHandle*>(closed); });
}

namespace {

class CloseHandle final : public Runnable {
  public:
    CloseHandle(Dispatcher& dispatcher, UnixSignalHandle& handle) noexcept : dispatcher_(dispatcher), handle_(handle) {}
    void run() override {
        handle_.close();
        dispatcher_.uvHasNews();
    }

  private:
    Dispatcher& dispatcher_; ///< which runs it
    UnixSignalHandle& handle_;
};

} // namespace

UnixSignal::UnixSignal(int number, Object* parent) : Object(parent), number_(number) { watch(); }

void UnixSignal::watch() {
    auto handle = std::make_unique<UnixSignalHandle>();
    handle->owner = this;
    int status = uv_signal_init(dispatcher().uvLoop(), &handle->handle);
    if (status == 0) {
        handle_ = handle.release();
        status = uv_signal_start(&handle_->handle, &UnixSignalHandle::onSignal, number_);
        if (status == 0) {
            dispatcher().uvHasNews();
            return;
        }
        std::exchange(handle_, nullptr)->close();
    }
    logMessage(LogLevel::Warning, "halyard.core",
               "UnixSignal: cannot watch signal " + std::to_string(number_) + ": " + uv_strerror(status));
}

UnixSignal::~UnixSignal() { letGo(); }

/// Of the handle, which belongs to the loop that it was made in.
void UnixSignal::letGo() noexcept {
    UnixSignalHandle* const its = std::exchange(handle_, nullptr);
    if (its == nullptr)
        return;
    if (isArriving_) { // from the thread of that loop, which may have ended
        dispatcher().post(std::make_unique<CloseHandle>(dispatcher(), *its)); // an ending loop closes it itself
        return;
    }
    its->close();
    dispatcher().uvHasNews();
}

void UnixSignal::leavingThread() {
    if (handle_ != nullptr)
        handle_->owner = nullptr;
    leaveLoop();
}

void UnixSignal::enteredThread() {
    // Only when this loop watches, the old one ends to: meanwhile the signal would do what it does by default.
    UnixSignalHandle* const before = std::exchange(handle_, nullptr);
    Dispatcher& old = dispatcher();
    old.addUser();
    joinLoop();
    if (before != nullptr) {
        watch();
        old.post(std::make_unique<CloseHandle>(old, *before)); // an ending loop closes it itself
    }
    old.removeUser();
}

void UnixSignal::dispatch() { received(number_); }

} // namespace halyard
