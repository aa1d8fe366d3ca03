#include <halyard/core/suspension.h>

#include <halyard/core/running_task.h>
#include <halyard/core/task.h>

namespace halyard {

RunningTask& Suspension::task() const noexcept { return *root_->running_; }

bool Suspension::isWaiting() const noexcept { return root_ != nullptr && root_->running_ != nullptr; }

/// False where the task goes on at once.
bool Suspension::suspend(TaskPromise& promise, std::coroutine_handle<> task) {
    root_ = promise.root_;
    handle_ = task;
    if (root_->running_ == nullptr)
        return true; // it is destroyed when control is back where it was resumed
    if (!root_->running_->cancelled_) {
        const bool isOver = look();
        if (root_->running_ == nullptr)
            return true;
        if (isOver)
            return false;
    }
    RunningTask& running = *root_->running_;
    running.suspension_ = this;
    running.again_ = false;
    if (running.cancelled_) {
        running.cancelNow_ = true;
        running.alarm_.schedule();
        return true;
    }
    begin();
    if (root_->running_ == nullptr)
        return true;
    if (running.again_ && look()) {
        leave();
        return root_->running_ == nullptr;
    }
    if (root_->running_ != nullptr && !until_.isForEver() && !running.alarm_.isArmed())
        running.alarm_.arm(until_.when());
    return true;
}

/// It is destroyed, or goes on: nobody waits any more.
void Suspension::leave() noexcept {
    RunningTask* const running = root_->running_;
    if (running != nullptr && running->suspension_ == this)
        running->stopWaiting();
}

void Suspension::happened() {
    RunningTask* const running = isWaiting() ? root_->running_ : nullptr;
    if (running == nullptr || running->suspension_ != this)
        return;
    if (running->runs_)
        running->again_ = true;
    else
        running->lookAgain();
}

void Suspension::gone() {
    RunningTask* const running = isWaiting() ? root_->running_ : nullptr;
    if (running == nullptr || running->suspension_ != this)
        return;
    running->sourceGone_ = true;
    running->alarm_.schedule();
}

} // namespace halyard
