#include <halyard/net/host_lookup.h>

#include "host_name.h"
#include "host_query.h"

#include <halyard/core/deadline.h>
#include <halyard/core/log.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace halyard {

namespace {

struct CurrentResolver {
    std::mutex mutex;
    std::shared_ptr<const HostLookup::Resolver> resolver = std::make_shared<HostLookup::Resolver>(&askSystem);
};

CurrentResolver& currentResolver() {
    static auto& current = *new CurrentResolver; // for lookups that start while the program ends
    return current;
}

std::shared_ptr<const HostLookup::Resolver> resolverNow() {
    const std::lock_guard lock(currentResolver().mutex);
    return currentResolver().resolver;
}

} // namespace

void HostLookup::setResolver(Resolver resolver) {
    std::shared_ptr<const Resolver> next = std::make_shared<Resolver>(resolver ? std::move(resolver) : &askSystem);
    const std::lock_guard lock(currentResolver().mutex);
    currentResolver().resolver.swap(next); // the old one dies after the lock
}

HostLookup::HostLookup(Object* parent) : Object(parent) {}

HostLookup::~HostLookup() { forgetQuery(); }

void HostLookup::leavingThread() { leaveLoop(); }
void HostLookup::enteredThread() { joinLoop(); }

bool HostLookup::start(std::string name) {
    if (!isOnItsThread("HostLookup::start()"))
        return false;
    if (isRunning()) {
        logMessage(LogLevel::Warning, "halyard.net", "HostLookup::start(): a lookup is under way");
        return false;
    }
    name_ = std::move(name);
    answer_ = {};
    state_ = State::Idle;
    if (auto known = answerWithoutAsking(name_)) {
        answer_ = std::move(*known);
        schedule();
    } else {
        query_ = HostQuery::ask(name_, resolverNow(), *this, [this] { dispatch(); });
    }
    state_ = State::Running;
    return true;
}

void HostLookup::abort() {
    if (!isOnItsThread("HostLookup::abort()"))
        return;
    forgetQuery();
    unschedule();
    answer_ = {};
    state_ = State::Idle;
}

void HostLookup::forgetQuery() {
    if (query_ != nullptr)
        std::exchange(query_, nullptr)->forget();
}

bool HostLookup::waitForFinished(int msec) {
    if (msec < 0)
        return waitForFinished(std::nullopt);
    return waitForFinished(WaitClock::after(std::chrono::milliseconds(msec)));
}

bool HostLookup::waitForFinished(std::optional<Clock::time_point> until) {
    if (!isOnItsThread("HostLookup::waitForFinished()"))
        return false;
    if (!isRunning())
        return isFinished();
    if (query_ != nullptr && !query_->wait(until))
        return false;
    const DispatchScope asInTheLoop;
    dispatch();
    return true;
}

/// The answer is there.
void HostLookup::dispatch() {
    unschedule();
    if (query_ != nullptr)
        answer_ = std::exchange(query_, nullptr)->take();
    state_ = State::Finished;
    finished();
}

std::string HostLookup::errorString() const {
    if (answer_.error == SocketError::None)
        return {};
    // What can be no name may be no text either, or have no end.
    constexpr std::size_t longest = 253;
    const bool isText = !name_.empty() && name_.size() <= longest && std::ranges::none_of(name_, [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    });
    return "cannot find the host" + (isText ? ' ' + name_ : std::string()) + ": " + answer_.cause;
}

} // namespace halyard
