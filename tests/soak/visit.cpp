#include "visit.h"

#include "blocking_talk.h"
#include "calls.h"
#include "conversation.h"
#include "timer_round.h"

namespace soak {

std::unique_ptr<Visit> Visit::chosenBy(Dice dice, const Service& service, Ledger& ledger) {
    switch (dice.below(32)) {
    case 0:
        return std::make_unique<TimerRound>(dice, ledger);
    case 1:
        return std::make_unique<Calls>(dice, ledger);
    case 2:
        return std::make_unique<BlockingTalk>(dice, service, ledger);
    default:
        return std::make_unique<Conversation>(dice, service, ledger);
    }
}

} // namespace soak
