#pragma once

#include <halyard/signals/executor.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

/// The executor of the thread that makes it; a task runs when the test says so.
class ManualExecutor : public halyard::Executor {
  public:
    ManualExecutor() : before_(current()) { setCurrent(this); }
    ~ManualExecutor() { setCurrent(before_); }

    void post(std::unique_ptr<halyard::Task> task) override { tasks_.push_back(std::move(task)); }

    std::size_t waiting() const { return tasks_.size(); }

    /// Runs the oldest task; false when there is none.
    bool runOne() {
        if (tasks_.empty())
            return false;
        const std::unique_ptr<halyard::Task> task = take();
        task->run();
        return true;
    }

    /// Runs what waits, and what that posts.
    void run() {
        while (runOne()) {
        }
    }

    /// Destroys the oldest task without running it.
    void dropOne() { take().reset(); }
    void dropAll() {
        while (!tasks_.empty())
            dropOne();
    }

    /// Makes it, or nothing, the executor of this thread: what is made meanwhile does not live here.
    void leaveThread() { setCurrent(nullptr); }
    void enterThread() { setCurrent(this); }

  private:
    std::unique_ptr<halyard::Task> take() {
        std::unique_ptr<halyard::Task> task = std::move(tasks_.front());
        tasks_.pop_front();
        return task;
    }

    std::deque<std::unique_ptr<halyard::Task>> tasks_;
    Executor* before_;
};
