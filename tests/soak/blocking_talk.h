#pragma once

#include "visit.h"

#include <halyard/core/thread.h>

namespace soak {

/// A conversation of waits, on a thread of its own that has no loop running.
class BlockingTalk : public Visit {
  public:
    BlockingTalk(Dice dice, const Service& service, Ledger& ledger);
    ~BlockingTalk() override;

    void begin() override;

  private:
    class Talker;

    std::unique_ptr<Talker> talker_;
};

} // namespace soak
