#pragma once

#include "visit.h"

#include <halyard/core/thread.h>
#include <halyard/signals/signal.h>

#include <cstdint>

namespace soak {

/// Numbered signals to an object on another thread, which sends them back: none may be lost, doubled or out of turn.
/// They go in bursts, the next one when the one before is back: what queued calls have needed at most is kept for ever.
/// Sometimes that object is deleted in the midst.
class Calls : public Visit {
  public:
    Calls(Dice dice, Ledger& ledger) : Visit(ledger), dice_(dice) {}
    ~Calls() override;

    void begin() override;

  private:
    class Mirror;

    void callSome();
    void comeBack(std::uint64_t number);
    void mirrorIsGone();

    Dice dice_;
    Mirror* mirror_ = nullptr; ///< null once it was told to go
    halyard::Thread thread_;
    halyard::Signal<std::uint64_t> call_{this};
    std::uint64_t total_ = 0;
    std::uint64_t cut_ = 0; ///< the one before which the mirror is told to go; total_ where that has to reflect all
    std::uint64_t sent_ = 0;
    std::uint64_t next_ = 0; ///< that is to come back
};

} // namespace soak
