#include "calls.h"

#include <algorithm>
#include <string>
#include <utility>

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
    total_ = dice_.between(1, 1000);
    cut_ = dice_.oneIn(4) ? dice_.below(total_) : total_;
    mirror_ = new Mirror(ledger());
    call_.connect(mirror_, &Mirror::take);
    mirror_->reflected.connect(this, &Calls::comeBack);
    mirror_->destroyed.connect(this, [this] { mirrorIsGone(); });
    thread_.start();
    mirror_->moveToThread(&thread_);
    callSome();
}

void Calls::callSome() {
    constexpr std::uint64_t burst = 50;
    for (const std::uint64_t end = std::min(sent_ + burst, total_); sent_ != end; ++sent_) {
        if (sent_ == cut_)
            std::exchange(mirror_, nullptr)->deleteLater();
        call_(sent_); // to nobody, once that is done
    }
}

void Calls::comeBack(std::uint64_t number) {
    if (number != next_++)
        ledger().wrong("a queued call came back out of turn");
    ++ledger().calls;
    if (next_ != sent_ || mirror_ == nullptr)
        return;
    if (next_ == total_)
        std::exchange(mirror_, nullptr)->deleteLater();
    else
        callSome();
}

void Calls::mirrorIsGone() {
    if (cut_ == total_ && next_ != total_)
        ledger().wrong("queued calls were lost: " + std::to_string(next_) + " of " + std::to_string(total_) +
                       " came back");
    end();
}

} // namespace soak
