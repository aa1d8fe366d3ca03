#include "lingering_close.h"

#include <cerrno>
#include <utility>

namespace halyard {

std::list<LingeringClose>& LingeringClose::ofThisThread() {
    static thread_local std::list<LingeringClose> all;
    return all;
}

LingeringClose::LingeringClose(std::unique_ptr<SocketEngine> engine, WriteQueue output, Stage stage) noexcept
    : engine_(std::move(engine)), output_(std::move(output)), stage_(stage) {
    engine_->setClient(*this);
}

void LingeringClose::begin(std::unique_ptr<SocketEngine> engine, WriteQueue output, Stage stage,
                           std::chrono::milliseconds limit) {
    lookAtOldest();
    std::list<LingeringClose>& all = ofThisThread();
    all.emplace_front(std::move(engine), std::move(output), stage);
    LingeringClose& self = all.front();
    self.place_ = all.begin();
    if (self.isDone() || self.observe() != 0)
        self.remove();
    else if (limit.count() > 0)
        self.arm(after(limit));
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
        stage_ = Stage::Sending;
    }
    if (stage_ == Stage::HearingOut)
        return engine_->hasHeardOut();
    int error = 0;
    output_.sendTo(*engine_, error);
    if (error == EAGAIN)
        return false;
    if (error != 0) {
        engine_->close(true);
        return true;
    }
    stage_ = Stage::HearingOut;
    return engine_->closeOverInput();
}

int LingeringClose::observe() {
    return engine_->observe(stage_ == Stage::HearingOut ? readiness::Readable : readiness::Writable);
}

void LingeringClose::engineReady(std::uint32_t) {
    if (isDone() || observe() != 0) // after an error it is watched no longer
        remove();
}

/// The closing timeout is over. Whom nobody hears any more still gets what the kernel has for him, if he is silent.
void LingeringClose::dispatch() {
    engine_->close(stage_ != Stage::HearingOut);
    remove();
}

void LingeringClose::remove() { ofThisThread().erase(place_); }

} // namespace halyard
