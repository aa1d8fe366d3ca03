#include <halyard/core/suspension.h>

#include <halyard/core/running_task.h>
#include <halyard/core/task.h>

namespace halyard {

/// Null where nobody waits, or the task has lost its context.
RunningTask* Suspension::running() const noexcept { return promise_ != nullptr ? promise_->root_->running_ : nullptr; }

RunningTask& Suspension::task() const noexcept { return *promise_->root_->running_; }

bool Suspension::isWaiting() const noexcept { return running() != nullptr; }

/// False where the task goes on at once.
bool Suspension::suspend(TaskPromise& promise) {
    const TaskPromise& root = *promise.root_;
    RunningTask* const running = root.running_;
    promise_ = &promise;
    if (running == nullptr)
        return true; // it is destroyed when control is back where it was resumed
    running->suspension_ = this;
    if (running->cancelled_) [[unlikely]]
        return listen(*running, root);
    const bool isOver = look();
    if (root.running_ == nullptr)
        return true;
    if (isOver) {
        leave();
        return false;
    }
    return listen(*running, root);
}

/// The rest of suspend().
bool Suspension::listen(RunningTask& running, const TaskPromise& root) {
    running.again_ = false;
    if (running.cancelled_) {
        running.cancelNow_ = true;
        running.alarm().schedule();
        return true;
    }
    if (interest_ && interest_.forEver() == running.interest_) {
        running.listensTo_ = running.watches_.get();
    } else {
        running.interest_ = {};
        begin();
        if (root.running_ == nullptr)
            return true;
        if (running.listensTo_ != nullptr && !running.cancelled_)
            running.interest_ = interest_.forEver();
    }
    if (running.again_ && look()) {
        leave();
        return root.running_ == nullptr;
    }
    if (root.running_ == nullptr)
        return true;
    if (!until_.isForEver() && !running.alarm_.isArmed())
        running.alarm().arm(until_.when());
    if (running.missed_) [[unlikely]]
        running.alarmAgain();
    return true;
}

/// It is destroyed, or goes on: nobody waits any more.
void Suspension::leave() noexcept {
    RunningTask* const its = running();
    if (its != nullptr && its->suspension_ == this)
        its->stopWaiting();
    promise_ = nullptr;
}

void Suspension::listenTo(const Watch& watch) noexcept { task().listensTo_ = &watch; }

void Suspension::happened() {
    RunningTask* const its = running();
    if (its != nullptr && its->suspension_ == this)
        its->lookAgain();
}

void Suspension::gone() {
    RunningTask* const its = running();
    if (its == nullptr || its->suspension_ != this)
        return;
    its->sourceGone_ = true;
    its->alarm().schedule();
}

} // namespace halyard
