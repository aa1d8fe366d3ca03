#include <halyard/core/task.h>

#include "refuse.h"

#include <halyard/core/log.h>
#include <halyard/core/running_task.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace halyard {

namespace {

bool refuseStart(std::string_view reason) { return refuse(std::string("a task is not started: ").append(reason)); }

} // namespace

TaskPromise::~TaskPromise() {
    if (exception_ == nullptr)
        return;
    std::string text = "a task has ended with an exception that nobody takes";
    try {
        std::rethrow_exception(std::exchange(exception_, nullptr));
    } catch (const std::exception& error) {
        text.append(": ").append(error.what());
    } catch (...) {
        text.append(" and that is no std::exception");
    }
    logMessage(LogLevel::Error, "halyard.core", text);
}

/// Runs it as a part of the awaiting one. False where it has ended already. A call, and not a jump, so that a loop over
/// tasks that do not wait needs no stack where the compiler, without optimization, makes calls of jumps.
bool TaskPromise::beginFor(TaskPromise& awaiting, std::coroutine_handle<> itself) {
    if (awaiting.isDoomed())
        return true;
    root_ = awaiting.root_;
    awaiting_ = itself;
    begins_ = true;
    itself_.resume();
    begins_ = false;
    return !isOver_;
}

bool TaskBase::start(Object* context) { return begin(context, true); }

bool TaskBase::begin(Object* context, bool keep) {
    if (promise_ == nullptr)
        return refuseStart("there is none");
    if (promise_->running_ != nullptr || promise_->isOver_)
        return refuseStart("it has been started before");
    if (context == nullptr)
        return refuseStart("there is no context");
    if (!context->livesHere())
        return refuseStart("the context lives on another thread");
    TaskPromise& promise = *promise_;
    auto* const running = new RunningTask(promise);
    const Pointer<RunningTask> self(running);
    promise.running_ = running;
    if (!keep) {
        promise_ = nullptr;
        promise.owner_ = nullptr;
    }
    try {
        running->setParent(context); // whose childEvent() may do anything
    } catch (...) {
        delete self.get();
        throw;
    }
    if (!self)
        return true;
    if (running->parent() != context) {
        delete running;
        return false; // which has been logged
    }
    running->begin();
    return true;
}

void TaskBase::cancel() noexcept {
    if (promise_ != nullptr && promise_->running_ != nullptr)
        promise_->running_->cancel();
}

void TaskBase::drop() noexcept {
    TaskPromise* const dropped = std::exchange(promise_, nullptr);
    if (dropped == nullptr)
        return;
    dropped->owner_ = nullptr;
    if (dropped->running_ != nullptr)
        delete dropped->running_;
    else
        dropped->itself_.destroy();
}

TaskPromise& TaskBase::ended() const {
    if (!isDone())
        throw std::logic_error("a task has no result: there is none, or it has not ended");
    return *promise_;
}

/// Throws where it cannot be awaited.
TaskPromise& TaskBase::awaitable() const {
    if (promise_ == nullptr || promise_->running_ != nullptr || promise_->isOver_)
        throw std::logic_error("a task cannot be awaited: there is none, or it has been started");
    return *promise_;
}

} // namespace halyard
