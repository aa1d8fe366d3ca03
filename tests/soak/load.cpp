#include "load.h"

#include "resources.h"
#include "visit.h"

#include <algorithm>
#include <memory>

namespace soak {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t mostAtATime = 300;
constexpr std::size_t storm = 100;
constexpr std::size_t beatsToAStorm = 200;

} // namespace

Load::Load(const Service& service, Ledger& ledger, std::uint64_t seed, double share)
    : service_(service), ledger_(ledger), seed_(seed), share_(share) {
    heart_.timeout.connect(this, &Load::beat);
}

void Load::start() {
    began_ = std::chrono::steady_clock::now();
    spentBefore_ = processorTime();
    heart_.start(10ms);
}

void Load::stop() { heart_.stop(); }

void Load::flood() {
    while (alive_ < mostAtATime)
        visit();
}

bool Load::maySpend() const {
    const std::chrono::duration<double> spent = processorTime() - spentBefore_;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began_;
    return spent < passed * share_;
}

void Load::beat() {
    if (!maySpend())
        return;
    Dice dice(mixed(seed_) + visits_);
    const bool isStorm = dice.oneIn(beatsToAStorm);
    if (isStorm)
        ledger_.count("storms");
    const std::size_t wanted = isStorm ? storm : dice.between(1, 16);
    for (std::size_t i = 0; i != wanted && alive_ < mostAtATime; ++i)
        visit();
}

void Load::visit() {
    auto visit = Visit::chosenBy(Dice(seed_ + visits_++), service_, ledger_);
    peak_ = std::max(peak_, ++alive_);
    visit->destroyed.connect(this, [this] { --alive_; });
    visit.release()->begin();
}

} // namespace soak
