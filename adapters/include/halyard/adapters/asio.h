#pragma once

#include <halyard/core/event_loop.h>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace halyard {

/// Drives the calling thread's EventLoop from a standalone Asio io_context that this thread alone runs. The library
/// itself does not know Asio.
///
///     asio::io_context context;
///     halyard::AsioDriver driver(context);
///     halyard::TcpServer server;
///     server.listen(halyard::HostAddress::LocalHost, 7000);
///     context.run();
///
/// The driver is work: run() returns after stop(), or when the driver is gone and nothing else is left. An exception
/// that leaves a slot leaves run(), which may be called again. The driver may be destroyed in a slot. Loop thread only.
class AsioDriver {
  public:
    /// The context must outlive it.
    explicit AsioDriver(asio::io_context& context) : state_(std::make_shared<State>(context)) {
        state_->watch();
        state_->armTimer();
    }
    AsioDriver(const AsioDriver&) = delete;
    AsioDriver& operator=(const AsioDriver&) = delete;
    ~AsioDriver() { state_->end(); }

  private:
    struct State : std::enable_shared_from_this<State> {
        explicit State(asio::io_context& context)
            : loop(EventLoop::current()), descriptor(std::in_place, context, loop->backendFd()), timer(context) {}

        // A handler that Asio has queued already is called though it was cancelled: it has to ask whether we are there.
        void watch() {
            descriptor->async_wait(asio::posix::stream_descriptor::wait_read,
                                   [self = this->shared_from_this()](const std::error_code& error) {
                                       if (!error && self->isAlive())
                                           self->turn(&State::watch);
                                   });
        }

        void armTimer() {
            const auto timeout = loop->backendTimeout();
            if (!timeout) {
                timer.cancel();
                return;
            }
            timer.expires_after(*timeout);
            timer.async_wait([self = this->shared_from_this()](const std::error_code& error) {
                if (!error && self->isAlive())
                    self->turn(nullptr);
            });
        }

        /// Then sleeps again, also when an exception passes.
        void turn(void (State::*again)()) {
            struct Afterwards {
                State& its;
                void (State::*again)();
                ~Afterwards() {
                    if (!its.isAlive())
                        return;
                    if (again != nullptr)
                        (its.*again)();
                    its.armTimer();
                }
            } const afterwards{*this, again};
            loop->processEvents();
        }

        bool isAlive() const noexcept { return descriptor.has_value(); }

        void end() {
            descriptor->release(); // it is the loop's
            descriptor.reset();
            timer.cancel();
        }

        EventLoop* const loop;
        std::optional<asio::posix::stream_descriptor> descriptor;
        asio::steady_timer timer;
    };

    std::shared_ptr<State> state_;
};

} // namespace halyard
