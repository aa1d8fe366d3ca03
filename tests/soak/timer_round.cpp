#include "timer_round.h"

#include <halyard/core/timer.h>

#include <chrono>
#include <memory>

namespace soak {

using halyard::Timer;

void TimerRound::begin() {
    ledger().count("rounds of timers");
    using Clock = std::chrono::steady_clock;
    running_ = dice_.between(1, 64);
    for (std::size_t i = 0; i != running_; ++i) {
        const std::chrono::milliseconds delay(dice_.below(100));
        auto* const timer = new Timer(this);
        timer->setSingleShot(true);
        timer->timeout.connect(this, [this, due = Clock::now() + delay, wentOff = std::make_shared<bool>()] {
            if (Clock::now() < due)
                ledger().wrong("a timer went off early");
            if (*wentOff)
                ledger().wrong("a single shot went off twice");
            *wentOff = true;
            ++ledger().timeouts;
            if (--running_ == 0)
                end();
        });
        timer->start(delay);
        if (dice_.oneIn(2)) {
            auto* const stopped = new Timer(this);
            stopped->timeout.connect(this, [this] { ledger().wrong("a timer went off after it was stopped"); });
            stopped->start(delay);
            if (dice_.oneIn(2))
                stopped->stop();
            else
                delete stopped;
        }
    }
}

} // namespace soak
