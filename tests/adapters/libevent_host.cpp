#include <halyard/adapters/libevent.h>

#include "host.h"

#include <optional>
#include <utility>

namespace halyard::test {

namespace {

timeval toTimeval(std::chrono::milliseconds wait) { return {wait.count() / 1000, wait.count() % 1000 * 1000}; }

class LibeventHost final : public Host {
  public:
    bool runUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) override {
        bool late = false;
        event* const giveUp = event_new(
            base_.get(), -1, 0, [](evutil_socket_t, short, void* data) { *static_cast<bool*>(data) = true; }, &late);
        const timeval wait = toTimeval(patience);
        event_add(giveUp, &wait);
        for (; !late && !condition(); ++turns)
            event_base_loop(base_.get(), EVLOOP_ONCE);
        event_free(giveUp);
        return !late;
    }

    void after(std::chrono::milliseconds wait, std::function<void()> callback) override {
        const timeval time = toTimeval(wait);
        event_base_once(
            base_.get(), -1, EV_TIMEOUT,
            [](evutil_socket_t, short, void* data) {
                const std::unique_ptr<std::function<void()>> call(static_cast<std::function<void()>*>(data));
                (*call)();
            },
            new std::function<void()>(std::move(callback)), &time);
    }

    void endDriver() override { driver_.reset(); }

  private:
    struct Free {
        void operator()(event_base* base) const noexcept { event_base_free(base); }
    };
    std::unique_ptr<event_base, Free> base_{event_base_new()};
    std::optional<LibeventDriver> driver_{std::in_place, base_.get()};
};

} // namespace

std::unique_ptr<Host> makeHost() { return std::make_unique<LibeventHost>(); }

} // namespace halyard::test
