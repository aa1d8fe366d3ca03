// A program with a poll(2) loop of its own needs no driver: three calls are all.
#include "host.h"

#include <halyard/core/event_loop.h>

#include <poll.h>

#include <algorithm>
#include <list>
#include <utility>

namespace halyard::test {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class PollHost final : public Host {
  public:
    bool runUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) override {
        const auto end = Clock::now() + patience;
        for (; !condition(); ++turns) {
            if (Clock::now() >= end)
                return false;
            auto wait = std::chrono::ceil<std::chrono::milliseconds>(nextCallback(end) - Clock::now());
            if (loop_ != nullptr)
                wait = std::min(wait, loop_->backendTimeout().value_or(wait));
            pollfd watched{loop_ != nullptr ? loop_->backendFd() : -1, POLLIN, 0};
            ::poll(&watched, 1, static_cast<int>(std::max(0ms, wait).count()));
            if (loop_ != nullptr)
                loop_->driveOnce();
            call();
        }
        return true;
    }

    void after(std::chrono::milliseconds wait, std::function<void()> callback) override {
        callbacks_.emplace_back(Clock::now() + wait, std::move(callback));
    }

    void endDriver() override { loop_ = nullptr; }

    bool mayNest() const override { return true; }

  private:
    using Callback = std::pair<Clock::time_point, std::function<void()>>;

    Clock::time_point nextCallback(Clock::time_point end) const {
        for (const auto& [when, callback] : callbacks_)
            end = std::min(end, when);
        return end;
    }

    void call() {
        const auto due = std::find_if(callbacks_.begin(), callbacks_.end(),
                                      [](const Callback& each) { return each.first <= Clock::now(); });
        if (due == callbacks_.end())
            return;
        const auto callback = std::move(due->second);
        callbacks_.erase(due);
        callback();
    }

    EventLoop* loop_ = EventLoop::current();
    std::list<Callback> callbacks_;
};

} // namespace

std::unique_ptr<Host> makeHost() { return std::make_unique<PollHost>(); }

} // namespace halyard::test
