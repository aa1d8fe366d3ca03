#include "lingering_close.h"

#include "socket_timeouts.h"

#include <cerrno>
#include <new>
#include <utility>

namespace halyard {

std::list<LingeringClose>& LingeringClose::ofThisThread() {
    static thread_local std::list<LingeringClose> all;
    return all;
}

LingeringClose::LingeringClose(std::unique_ptr<SocketEngine> engine, WriteQueue output, Stage stage,
                               std::chrono::milliseconds limit) noexcept
    : engine_(std::move(engine)), output_(std::move(output)), limit_(limit), stage_(stage) {
    engine_->setClient(*this);
    enter(stage);
}

void LingeringClose::begin(std::unique_ptr<SocketEngine> engine, WriteQueue output, Stage stage,
                           std::chrono::milliseconds limit) {
    lookAtOldest();
    std::list<LingeringClose>& all = ofThisThread();
    all.emplace_front(std::move(engine), std::move(output), stage, limit);
    LingeringClose& self = all.front();
    self.place_ = all.begin();
    if (self.isDone() || self.observe() != 0) {
        self.remove();
    } else if (limit.count() > 0) {
        try {
            self.arm(self.next());
        } catch (const std::bad_alloc&) {
            self.remove(); // nothing would end it
        }
    }
}

/// In a thread that only waits, and runs no loop, nobody else does; two, so that they become fewer.
void LingeringClose::lookAtOldest() {
    std::list<LingeringClose>& all = ofThisThread();
    for (int count = 0; count != 2 && !all.empty(); ++count) {
        LingeringClose& oldest = all.back();
        if (oldest.isArmed() && oldest.when() <= Clock::now())
            oldest.dispatch();
        else if (oldest.isDone())
            oldest.remove();
        else
            break;
    }
}

/// Whether there is nothing more to do, after what could be done now.
bool LingeringClose::isDone() {
    if (stage_ == Stage::Connecting) {
        const int error = engine_->finishConnect();
        if (error == EINPROGRESS)
            return false;
        if (error != 0)
            return true;
        enter(Stage::Sending);
    }
    if (stage_ == Stage::HearingOut)
        return engine_->hasHeardOut();
    int error = 0;
    const std::size_t sent = output_.sendTo(*engine_, error);
    if (error == EAGAIN) {
        if (sent != 0)
            enter(Stage::Sending);
        return false;
    }
    if (error != 0) {
        engine_->close(true);
        return true;
    }
    enter(Stage::HearingOut);
    return engine_->closeOverInput();
}

/// With all the time for it, or all of it again.
void LingeringClose::enter(Stage stage) noexcept {
    stage_ = stage;
    end_ = after(limit_);
    untaken_.reset();
}

/// When to look at it next.
Clock::time_point LingeringClose::next() const noexcept {
    return stage_ == Stage::Sending && !untaken_ ? end_ - (limit_ - SocketTimeouts::untilTaken(limit_)) : end_;
}

int LingeringClose::observe() {
    return engine_->observe(stage_ == Stage::HearingOut ? readiness::Readable : readiness::Writable);
}

void LingeringClose::engineReady(std::uint32_t) {
    if (isDone() || observe() != 0) // after an error it is watched no longer
        remove();
}

/// The closing timeout is over, unless the peer is still taking something, if only from the kernel. Whom nobody hears
/// any more still gets what the kernel has for him, if he is silent.
void LingeringClose::dispatch() {
    const Clock::time_point now = Clock::now();
    if (stage_ == Stage::Sending && next() <= now) {
        const std::size_t untaken = engine_->untaken();
        if (!untaken_)
            untaken_ = untaken;
        else if (untaken < *untaken_)
            enter(Stage::Sending);
    }
    if (next() > now) {
        arm(next());
        return;
    }
    engine_->close(stage_ != Stage::HearingOut);
    remove();
}

void LingeringClose::remove() { ofThisThread().erase(place_); }

} // namespace halyard
