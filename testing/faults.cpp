#include <halyard/testing/faults.h>

#include "interposed.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace halyard::testing {

struct Faults::Rule {
    Call call;
    When when;
    int error = 0;
    std::size_t most = std::numeric_limits<std::size_t>::max();
    std::chrono::milliseconds delay{0};
};

struct Faults::Rules : std::vector<Rule> {};

namespace {

thread_local Faults* innermost = nullptr;
thread_local int unfaulted = 0;

/// Those for every thread. Looked at without the lock first, for mostly there are none.
constinit struct {
    std::mutex mutex;
    std::atomic<Faults*> innermost = nullptr;
} ofEveryThread;

/// Locks where `threads` makes that necessary.
std::unique_lock<std::mutex> lockFor(Faults::Threads threads) {
    std::unique_lock lock(ofEveryThread.mutex, std::defer_lock);
    if (threads == Faults::Threads::Every)
        lock.lock();
    return lock;
}

/// SplitMix64: a number between 0 and 1.
double next(std::uint64_t& state) noexcept {
    std::uint64_t z = state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return static_cast<double>((z ^ (z >> 31U)) >> 11U) * 0x1p-53;
}

} // namespace

bool When::takesNext() noexcept {
    ++seen_;
    return seen_ >= first_ && seen_ <= last_ && (probability_ >= 1 || next(random_) < probability_);
}

Faults::Faults(Threads threads) : threads_(threads) {
    linkSystemCalls();
    linkAllocation();
    const NoFaults own;
    rules_ = new Rules;
    const auto lock = lockFor(threads);
    if (threads == Threads::Every) {
        outer_ = ofEveryThread.innermost;
        ofEveryThread.innermost = this;
    } else {
        outer_ = innermost;
        innermost = this;
    }
}

Faults::~Faults() {
    const NoFaults own;
    {
        const auto lock = lockFor(threads_);
        Faults* first = threads_ == Threads::Every ? ofEveryThread.innermost.load() : innermost;
        for (Faults** place = &first; *place != nullptr; place = &(*place)->outer_) {
            if (*place == this) {
                *place = outer_;
                break;
            }
        }
        if (threads_ == Threads::Every)
            ofEveryThread.innermost = first;
        else
            innermost = first;
    }
    delete rules_;
}

Faults& Faults::fail(Call call, int error, When when) {
    const NoFaults own;
    const auto lock = lockFor(threads_);
    rules_->push_back({.call = call, .when = when, .error = error});
    return *this;
}

Faults& Faults::shorten(Call call, std::size_t most, When when) {
    const NoFaults own;
    const auto lock = lockFor(threads_);
    rules_->push_back({.call = call, .when = when, .most = std::max<std::size_t>(most, 1)});
    return *this;
}

Faults& Faults::delay(Call call, std::chrono::milliseconds by, When when) {
    const NoFaults own;
    const auto lock = lockFor(threads_);
    rules_->push_back({.call = call, .when = when, .delay = by});
    return *this;
}

void Faults::clear() noexcept {
    const auto lock = lockFor(threads_);
    rules_->clear();
}

std::uint64_t Faults::calls(Call call) const noexcept {
    const auto lock = lockFor(threads_);
    return calls_[static_cast<std::size_t>(call)];
}

std::uint64_t Faults::injected() const noexcept {
    const auto lock = lockFor(threads_);
    return injected_;
}

Verdict Interposed::judge(Call call) noexcept {
    Verdict verdict;
    if (unfaulted != 0 || (innermost == nullptr && ofEveryThread.innermost.load(std::memory_order_relaxed) == nullptr))
        return verdict;
    const NoFaults own;
    const int before = errno;
    std::chrono::milliseconds delay{0};
    const auto ask = [&](Faults* first) {
        for (Faults* each = first; each != nullptr; each = each->outer_) {
            ++each->calls_[static_cast<std::size_t>(call)];
            bool taken = false;
            for (Faults::Rule& rule : *each->rules_) {
                if (rule.call != call || !rule.when.takesNext())
                    continue;
                taken = true;
                verdict.error = verdict.error != 0 ? verdict.error : rule.error;
                verdict.most = std::min(verdict.most, rule.most);
                delay += rule.delay;
            }
            each->injected_ += taken ? 1U : 0U;
        }
    };
    ask(innermost);
    if (ofEveryThread.innermost.load(std::memory_order_relaxed) != nullptr) {
        const std::lock_guard lock(ofEveryThread.mutex);
        ask(ofEveryThread.innermost);
    }
    if (delay.count() > 0)
        std::this_thread::sleep_for(delay);
    errno = before;
    return verdict;
}

NoFaults::NoFaults() noexcept { ++unfaulted; }
NoFaults::~NoFaults() { --unfaulted; }

} // namespace halyard::testing
