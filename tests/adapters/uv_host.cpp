// In a host's uv loop there is no driver: the EventLoop itself lives in it.
#include "host.h"

#include <halyard/core/event_loop.h>

#include <uv.h>

#include <optional>
#include <utility>

namespace halyard::test {

namespace {

class UvHost final : public Host {
  public:
    UvHost() {
        uv_loop_init(&uv_);
        loop_.emplace(&uv_);
    }
    UvHost(const UvHost&) = delete;
    UvHost& operator=(const UvHost&) = delete;
    ~UvHost() override {
        loop_.reset();
        uv_run(&uv_, UV_RUN_NOWAIT);
        uv_loop_close(&uv_);
    }

    bool runUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) override {
        struct GiveUp {
            uv_timer_t timer;
            bool late = false;
        };
        auto* const giveUp = new GiveUp;
        uv_timer_init(&uv_, &giveUp->timer);
        giveUp->timer.data = giveUp;
        uv_timer_start(
            &giveUp->timer, [](uv_timer_t* timer) { static_cast<GiveUp*>(timer->data)->late = true; },
            static_cast<std::uint64_t>(patience.count()), 0);
        for (; !giveUp->late && !condition(); ++turns)
            uv_run(&uv_, UV_RUN_ONCE);
        const bool inTime = !giveUp->late;
        uv_close(reinterpret_cast<uv_handle_t*>(&giveUp->timer),
                 [](uv_handle_t* timer) { delete static_cast<GiveUp*>(timer->data); });
        return inTime;
    }

    void after(std::chrono::milliseconds wait, std::function<void()> callback) override {
        struct Callback {
            uv_timer_t timer;
            std::function<void()> call;
        };
        auto* const made = new Callback{{}, std::move(callback)};
        uv_timer_init(&uv_, &made->timer);
        made->timer.data = made;
        uv_timer_start(
            &made->timer,
            [](uv_timer_t* timer) {
                static_cast<Callback*>(timer->data)->call();
                uv_close(reinterpret_cast<uv_handle_t*>(timer),
                         [](uv_handle_t* closed) { delete static_cast<Callback*>(closed->data); });
            },
            static_cast<std::uint64_t>(wait.count()), 0);
    }

    void endDriver() override { loop_.reset(); }

    bool mayExec() const override { return false; }

  private:
    uv_loop_t uv_{};
    std::optional<EventLoop> loop_;
};

} // namespace

std::unique_ptr<Host> makeHost() { return std::make_unique<UvHost>(); }

} // namespace halyard::test
