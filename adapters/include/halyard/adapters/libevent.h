#pragma once

#include <halyard/core/event_loop.h>

#include <event2/event.h>

#include <chrono>
#include <memory>
#include <new>

namespace halyard {

/// Drives the calling thread's EventLoop from a libevent event_base that this thread runs. Needs libevent 2.0; the
/// library itself does not know it.
///
///     event_base* const base = event_base_new();
///     halyard::LibeventDriver driver(base);
///     halyard::TcpServer server;
///     server.listen(halyard::HostAddress::LocalHost, 7000);
///     event_base_dispatch(base);
///
/// The driver is an event: event_base_dispatch() returns after event_base_loopbreak(), or when the driver is gone and
/// no other event is left. It must be destroyed before the base is freed, and may be destroyed in a slot. An exception
/// that leaves a slot goes to EventLoop::setExceptionHandler(). Loop thread only.
class LibeventDriver {
  public:
    /// Throws std::bad_alloc where libevent cannot make an event.
    explicit LibeventDriver(event_base* base) : loop_(EventLoop::current()) {
        descriptor_.reset(event_new(base, loop_->backendFd(), EV_READ | EV_PERSIST, &LibeventDriver::turn, this));
        timer_.reset(event_new(base, -1, 0, &LibeventDriver::turn, this));
        if (descriptor_ == nullptr || timer_ == nullptr || event_add(descriptor_.get(), nullptr) != 0)
            throw std::bad_alloc();
        armTimer();
    }
    LibeventDriver(const LibeventDriver&) = delete;
    LibeventDriver& operator=(const LibeventDriver&) = delete;
    ~LibeventDriver() {
        if (gone_ != nullptr)
            *gone_ = true;
    }

  private:
    struct Free {
        void operator()(event* which) const noexcept { event_free(which); }
    };

    static void turn(evutil_socket_t /*descriptor*/, short /*events*/, void* driver) noexcept {
        auto* const self = static_cast<LibeventDriver*>(driver);
        bool gone = false;
        bool* const outer = self->gone_;
        self->gone_ = &gone;
        self->loop_->driveOnce();
        if (gone) {
            if (outer != nullptr)
                *outer = true;
            return;
        }
        self->gone_ = outer;
        self->armTimer();
    }

    void armTimer() noexcept {
        const auto timeout = loop_->backendTimeout();
        if (!timeout) {
            event_del(timer_.get());
            return;
        }
        const auto seconds = std::chrono::floor<std::chrono::seconds>(*timeout);
        timeval wait{};
        wait.tv_sec = static_cast<decltype(wait.tv_sec)>(seconds.count());
        wait.tv_usec = static_cast<decltype(wait.tv_usec)>(std::chrono::microseconds(*timeout - seconds).count());
        event_add(timer_.get(), &wait);
    }

    EventLoop* const loop_;
    std::unique_ptr<event, Free> descriptor_;
    std::unique_ptr<event, Free> timer_;
    bool* gone_ = nullptr; ///< of the turn that runs
};

} // namespace halyard
