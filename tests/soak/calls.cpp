#include "calls.h"

#include <halyard/core/event_loop.h>

#include <string>

namespace soak {

class Calls::Mirror : public halyard::Object {
  public:
    explicit Mirror(Ledger& ledger) : ledger_(ledger) {}

    void take(std::uint64_t number) {
        if (number != next_++)
            ledger_.wrong("a queued call came out of turn");
        reflected(number);
    }

    halyard::Signal<std::uint64_t> reflected{this};

  private:
    Ledger& ledger_;
    std::uint64_t next_ = 0;
};

Calls::~Calls() {
    thread_.quit();
    thread_.wait();
}

void Calls::begin() {
    ledger().count("rounds of queued calls");
    const bool isCutShort = dice_.oneIn(4);
    total_ = dice_.between(1, 2000);
    auto* const mirror = new Mirror(ledger());
    call_.connect(mirror, &Mirror::take);
    mirror->reflected.connect(this, &Calls::comeBack);
    mirror->destroyed.connect(this, [this, isCutShort] {
        if (!isCutShort && next_ != total_)
            ledger().wrong("queued calls were lost: " + std::to_string(next_) + " of " + std::to_string(total_) +
                           " came back");
        end();
    });
    thread_.start();
    mirror->moveToThread(&thread_);
    const std::uint64_t cut = isCutShort ? dice_.below(total_) : total_;
    for (std::uint64_t number = 0; number != total_; ++number) {
        if (number == cut)
            mirror->deleteLater();
        call_(number); // to nobody, once that is done
    }
    if (!isCutShort)
        thread_.eventLoop()->post([mirror] { mirror->deleteLater(); });
}

void Calls::comeBack(std::uint64_t number) {
    if (number != next_++)
        ledger().wrong("a queued call came back out of turn");
    ++ledger().calls;
}

} // namespace soak
