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
    ours->owner->handle_ = nullptr;
    ours->close();
}

void UnixSignalHandle::close() noexcept {
    owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<UnixSignalHandle*>(closed); });
}

UnixSignal::UnixSignal(int number, Object* parent) : Object(parent), number_(number) {
    auto handle = std::make_unique<UnixSignalHandle>();
    handle->owner = this;
    int status = uv_signal_init(dispatcher().uvLoop(), &handle->handle);
    if (status == 0) {
        handle_ = handle.release();
        status = uv_signal_start(&handle_->handle, &UnixSignalHandle::onSignal, number);
        if (status == 0)
            return;
        std::exchange(handle_, nullptr)->close();
    }
    logMessage(LogLevel::Warning, "halyard.core",
               "UnixSignal: cannot watch signal " + std::to_string(number) + ": " + uv_strerror(status));
}

UnixSignal::~UnixSignal() {
    if (handle_ != nullptr)
        handle_->close();
}

void UnixSignal::dispatch() { received(number_); }

} // namespace halyard
