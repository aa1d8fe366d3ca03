#pragma once

#include <halyard/core/event_loop.h>

#include <uv.h>

namespace halyard::test {

/// Counts how often a loop looks for something to do while it lives: what sleeps must not turn.
class TurnCounter {
  public:
    explicit TurnCounter(EventLoop& loop) : loop_(loop) {
        uv_prepare_init(loop.uvLoop(), &prepare_);
        prepare_.data = this;
        uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { ++static_cast<TurnCounter*>(handle->data)->turns_; });
    }
    TurnCounter(const TurnCounter&) = delete;
    TurnCounter& operator=(const TurnCounter&) = delete;
    ~TurnCounter() {
        uv_close(reinterpret_cast<uv_handle_t*>(&prepare_),
                 [](uv_handle_t* handle) { static_cast<TurnCounter*>(handle->data)->closed_ = true; });
        while (!closed_)
            loop_.processEvents();
    }

    int turns() const { return turns_; }

  private:
    EventLoop& loop_;
    uv_prepare_t prepare_{};
    int turns_ = 0;
    bool closed_ = false;
};

} // namespace halyard::test
