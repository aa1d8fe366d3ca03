#pragma once

#include "dice.h"
#include "ledger.h"
#include "service.h"

#include <halyard/core/object.h>

#include <memory>

namespace soak {

/// Something that is done to the runtime, with chance deciding how, and judged in the ledger. It deletes itself.
class Visit : public halyard::Object {
  public:
    explicit Visit(Ledger& ledger) : ledger_(ledger) {}

    virtual void begin() = 0;

    /// What the dice have chosen.
    static std::unique_ptr<Visit> chosenBy(Dice dice, const Service& service, Ledger& ledger);

  protected:
    Ledger& ledger() const noexcept { return ledger_; }
    void end() { deleteLater(); }

  private:
    Ledger& ledger_;
};

} // namespace soak
