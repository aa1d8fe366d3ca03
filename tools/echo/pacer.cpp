#include "pacer.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <sys/timerfd.h>
#include <unistd.h>

namespace echo {

namespace {

using namespace std::chrono_literals;

} // namespace

Pacer::Pacer(double perSecond)
    : perSecond_(perSecond), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
    if (timer_ < 0)
        throw std::system_error(errno, std::generic_category(), "cannot make a timer");
    const auto interval = std::clamp(std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / perSecond)),
                                     std::chrono::nanoseconds(50us), std::chrono::nanoseconds(3600s));
    const auto whole = std::chrono::floor<std::chrono::seconds>(interval);
    const timespec each{whole.count(), (interval - whole).count()};
    const itimerspec setting{each, each};
    ::timerfd_settime(timer_, 0, &setting, nullptr);
    notifier_ = std::make_unique<halyard::FdNotifier>(timer_, halyard::FdNotifier::Read);
    notifier_->activated.connect(this, &Pacer::expire);
}

Pacer::~Pacer() {
    notifier_.reset();
    ::close(timer_);
}

Pacer::Clock::time_point Pacer::timeOf(std::uint64_t number) const {
    return begin_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(static_cast<double>(number) / perSecond_));
}

void Pacer::expire() {
    std::uint64_t times = 0;
    (void)!::read(timer_, &times, sizeof times);
    const halyard::Pointer<Pacer> self(this);
    const auto now = Clock::now();
    while (self && timeOf(next_) <= now)
        due(timeOf(next_++));
}

} // namespace echo
