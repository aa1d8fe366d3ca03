#pragma once

#include "visit.h"

#include <cstddef>

namespace soak {

/// Timers that must go off once each, and not early; some are stopped before.
class TimerRound : public Visit {
  public:
    TimerRound(Dice dice, Ledger& ledger) : Visit(ledger), dice_(dice) {}

    void begin() override;

  private:
    Dice dice_;
    std::size_t running_ = 0;
};

} // namespace soak
