#pragma once

#include "visit.h"

#include <halyard/core/thread.h>
#include <halyard/signals/signal.h>

#include <cstdint>

namespace soak {

/// Numbered signals to an object on another thread, which sends them back: none may be lost, doubled or out of turn.
/// Sometimes that object is deleted in the midst.
class Calls : public Visit {
  public:
    Calls(Dice dice, Ledger& ledger) : Visit(ledger), dice_(dice) {}
    ~Calls() override;

    void begin() override;

  private:
    class Mirror;

    void comeBack(std::uint64_t number);

    Dice dice_;
    halyard::Thread thread_;
    halyard::Signal<std::uint64_t> call_{this};
    std::uint64_t total_ = 0;
    std::uint64_t next_ = 0; ///< that is to come back
};

} // namespace soak
