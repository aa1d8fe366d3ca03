#pragma once

#include <halyard/signals/executor.h>
#include <halyard/signals/tracked.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

/// A thread with an executor, which runs what is posted to it until it is ended.
class Worker : public halyard::Executor {
  public:
    Worker() : thread_([this] { run(); }) { started_.get_future().wait(); }
    ~Worker() { end(); }

    /// Ends the thread after what was posted until now; what comes later is dropped.
    void end() {
        if (!thread_.joinable())
            return;
        call([this] { ending_ = true; });
        thread_.join();
    }

    std::unique_ptr<halyard::Runnable> post(std::unique_ptr<halyard::Runnable> task) override {
        const std::lock_guard lock(mutex_);
        if (ended_)
            return task;
        tasks_.push_back(std::move(task));
        changed_.notify_one();
        return nullptr;
    }
    bool isRunning() const noexcept override { return !paused_; }
    void moveTasks(halyard::Executor& other) override {
        const std::lock_guard lock(mutex_);
        for (auto& each : tasks_)
            if (const halyard::Tracked* const receiver = each->receiver();
                receiver != nullptr && receiver->executor() == &other)
                each = other.post(std::move(each));
        std::erase(tasks_, nullptr);
    }

    /// Runs `function` on the thread, and waits until it has run.
    template <class F>
    void call(F function) {
        struct Call final : halyard::Runnable {
            Call(F& f, std::promise<void>& p) : its(f), ran(p) {}
            void run() override {
                its();
                ran.set_value();
            }
            F& its;
            std::promise<void>& ran;
        };
        std::promise<void> ran;
        post(std::make_unique<Call>(function, ran));
        ran.get_future().wait();
    }

    /// Says of itself that nobody runs it, as long as it lives; what it is given waits.
    class Pause {
      public:
        explicit Pause(Worker& worker) : worker_(worker) { worker_.setPaused(true); }
        Pause(const Pause&) = delete;
        Pause& operator=(const Pause&) = delete;
        ~Pause() { worker_.setPaused(false); }

      private:
        Worker& worker_;
    };

    std::thread::id id() const { return thread_.get_id(); }

  private:
    void setPaused(bool paused) {
        const std::lock_guard lock(mutex_);
        paused_ = paused;
        changed_.notify_one();
    }

    void run() {
        setCurrent(this);
        started_.set_value();
        std::unique_lock lock(mutex_);
        while (!ending_) {
            changed_.wait(lock, [this] { return !paused_ && !tasks_.empty(); });
            std::unique_ptr<halyard::Runnable> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task->run();
            task.reset();
            lock.lock();
        }
        ended_ = true;
        auto dropped = std::move(tasks_);
        lock.unlock();
        dropped.clear();
        setCurrent(nullptr);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<halyard::Runnable>> tasks_;
    std::atomic<bool> paused_ = false;
    std::atomic<bool> ending_ = false;
    bool ended_ = false;
    std::promise<void> started_;
    std::thread thread_; // the last: it uses the others
};
