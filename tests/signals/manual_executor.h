#pragma once

#include <halyard/signals/executor.h>
#include <halyard/signals/link.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

/// The executor of the thread that makes it; a task runs when the test says so.
class ManualExecutor : public halyard::Executor {
  public:
    ManualExecutor() : before_(current()) { setCurrent(this); }
    ~ManualExecutor() { setCurrent(before_); }

    std::unique_ptr<halyard::Runnable> post(std::unique_ptr<halyard::Runnable> task) override {
        tasks_.push_back(std::move(task));
        return nullptr;
    }
    bool isRunning() const noexcept override { return true; }
    void moveTasks(halyard::Executor& other) override {
        for (std::unique_ptr<halyard::Runnable>& each : tasks_)
            if (const halyard::Tracked* const receiver = each->receiver();
                receiver != nullptr && receiver->executor() == &other)
                each = other.post(std::move(each));
        std::erase(tasks_, nullptr);
    }

    /// How many calls wait; what follows the calls of an ended connection is none.
    std::size_t waiting() const {
        return static_cast<std::size_t>(
            std::count_if(tasks_.begin(), tasks_.end(), [](const auto& each) { return !isNotice(*each); }));
    }

    /// Runs what stands before the oldest call: what was behind the calls of ended connections.
    void runNotices() {
        while (!tasks_.empty() && isNotice(*tasks_.front()))
            take()->run();
    }

    /// Runs the oldest call; false when there is none.
    bool runOne() {
        runNotices();
        if (tasks_.empty())
            return false;
        const std::unique_ptr<halyard::Runnable> task = take();
        task->run();
        return true;
    }

    /// Runs what waits, and what that posts.
    void run() {
        while (runOne()) {
        }
    }

    /// Destroys the oldest call without running it.
    void dropOne() {
        runNotices();
        if (!tasks_.empty())
            take().reset();
    }
    void dropAll() {
        while (!tasks_.empty())
            dropOne();
    }

    /// Makes it, or nothing, the executor of this thread: what is made meanwhile does not live here.
    void leaveThread() { setCurrent(nullptr); }
    void enterThread() { setCurrent(this); }

  private:
    static bool isNotice(const halyard::Runnable& task) {
        return dynamic_cast<const halyard::detail::CallsOver*>(&task) != nullptr;
    }
    std::unique_ptr<halyard::Runnable> take() {
        std::unique_ptr<halyard::Runnable> task = std::move(tasks_.front());
        tasks_.pop_front();
        return task;
    }

    std::deque<std::unique_ptr<halyard::Runnable>> tasks_;
    Executor* before_;
};
