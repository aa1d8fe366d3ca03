#include "lingering_close.h"

#include <cerrno>
#include <utility>

namespace halyard {

std::list<LingeringClose>& LingeringClose::ofThisThread() {
    static thread_local std::list<LingeringClose> all;
    return all;
}

LingeringClose::LingeringClose(std::unique_ptr<SocketEngine> engine, WriteQueue output, bool isConnecting) noexcept
    : engine_(std::move(engine)), output_(std::move(output)), isConnecting_(isConnecting) {
    engine_->setClient(*this);
}

void LingeringClose::begin(std::unique_ptr<SocketEngine> engine, WriteQueue output, bool isConnecting,
                           std::chrono::milliseconds limit) {
    std::list<LingeringClose>& all = ofThisThread();
    all.emplace_front(std::move(engine), std::move(output), isConnecting);
    LingeringClose& self = all.front();
    self.place_ = all.begin();
    if (self.isDone() || self.engine_->observe(readiness::Writable) != 0)
        self.remove();
    else if (limit.count() > 0)
        self.arm(after(limit));
}

/// Whether there is nothing more to do, after what could be done now.
bool LingeringClose::isDone() {
    if (isConnecting_) {
        const int error = engine_->finishConnect();
        if (error == EINPROGRESS)
            return false;
        if (error != 0)
            return true;
        isConnecting_ = false;
    }
    int error = 0;
    output_.sendTo(*engine_, error);
    if (error == EAGAIN)
        return false;
    if (error == 0)
        engine_->closeOverInput();
    else
        engine_->close(true);
    return true;
}

void LingeringClose::engineReady(std::uint32_t) {
    if (isDone() || engine_->observe(readiness::Writable) != 0) // libuv no longer watches after an error
        remove();
}

/// The closing timeout is over.
void LingeringClose::dispatch() {
    engine_->close(true);
    remove();
}

void LingeringClose::remove() { ofThisThread().erase(place_); }

} // namespace halyard
