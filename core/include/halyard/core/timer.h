#pragma once

#include <halyard/core/deadline.h>
#include <halyard/core/object.h>

#include <chrono>
#include <utility>

namespace halyard {

/// Emits timeout after an interval, over and over or once.
///
///     Timer heartbeat(&daemon);
///     heartbeat.timeout.connect(&daemon, &Daemon::beat);
///     heartbeat.start(1s);
///     Timer::singleShot(200ms, &daemon, [] { std::puts("later"); });
///
/// A timer is never early. One that is late goes off once and does not catch up on what it missed. While its slot runs
/// a nested loop, it does not go off again. With an interval of 0 it goes off once in every turn of the loop.
class HALYARD_API Timer : public Object {
  public:
    using Milliseconds = std::chrono::milliseconds; ///< What it counts in.

    explicit Timer(Object* parent = nullptr); ///< It does not run yet.
    ~Timer() override;

    /// Starts it, or starts it anew, from now. False, with a logged sentence, for a negative interval and
    /// on a foreign thread.
    bool start(Milliseconds interval);
    bool start() { return start(interval_); } ///< With the interval of before.
    void stop() noexcept;                     ///< Refused, with a logged sentence, on a foreign thread.

    bool isActive() const noexcept { return active_; } ///< It will go off.

    /// Until it goes off; 0 when it is due, −1 when it is not active.
    Milliseconds remainingTime() const;

    Milliseconds interval() const noexcept { return interval_; } ///< The one that was last set; 0 at first.

    /// An active timer starts anew with it. False, with a logged sentence, for a negative interval and
    /// on a foreign thread.
    bool setInterval(Milliseconds interval);

    bool isSingleShot() const noexcept { return singleShot_; } ///< It goes off once, and no more.
    /// For the next start, and for one that runs.
    void setSingleShot(bool singleShot) noexcept { singleShot_ = singleShot; }

    /// Calls `slot` once on the thread of `context`, unless that dies before.
    template <class Context, class Slot>
    static void singleShot(Milliseconds delay, Context* context, Slot&& slot) {
        auto* const timer = new Timer;
        timer->setSingleShot(true);
        if (timer->timeout.connect(context, std::forward<Slot>(slot)).isConnected() && timer->start(delay))
            timer->endWith(context);
        else
            delete timer;
    }

    /// Emitted when the interval has passed, at most once a turn. A single shot is inactive already. A slot may do
    /// anything: stop it, start it, delete it.
    Signal<> timeout{this};

  protected:
    void leavingThread() override;
    void enteredThread() override; ///< It goes on, and is due when it was.

  private:
    void goOff();
    void slotDone(Deadline::Clock::time_point due);
    void endWith(Object* context);
    void endWith(Tracked*) { deletesItself_ = true; }

    class Alarm final : public Deadline {
      public:
        explicit Alarm(Timer& timer) noexcept : timer_(timer) {}
        using Deadline::joinLoop;
        using Deadline::leaveLoop;

      private:
        void dispatch() override { timer_.goOff(); }
        Timer& timer_;
    };

    Alarm alarm_{*this};
    Milliseconds interval_{0};
    bool singleShot_ = false;
    bool active_ = false;
    bool deletesItself_ = false;
};

} // namespace halyard
