#pragma once

#include <halyard/core/deadline.h>
#include <halyard/core/object.h>
#include <halyard/core/suspension.h>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>

namespace halyard {

class TaskPromise;

/// What a task listens to of one object, from its first await on until either is gone: who awaits the same object in
/// a loop connects once.
class HALYARD_API Watch {
  public:
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    virtual ~Watch();

  protected:
    Watch(Object& source, RunningTask& task); ///< Ends with either.
    void happened();                          ///< Tells who waits for it.
    /// Whether these news, a number up to detail::Interest::most, are wanted for the first time; then they have to be
    /// listened to.
    bool isNew(std::uint8_t news) noexcept {
        const bool known = (heard_ >> news & 1U) != 0;
        heard_ = static_cast<std::uint8_t>(heard_ | 1U << news);
        return !known;
    }
    RunningTask& task() const noexcept { return task_; } ///< Who listens.

  private:
    friend class RunningTask;

    const Object* source_;
    RunningTask& task_;
    std::unique_ptr<Watch> next_;
    std::uint8_t heard_ = 0;
};

/// A started task: a child of its context, with which it moves from thread to thread and dies. It ends by itself when
/// the task has ended.
class HALYARD_API RunningTask final : public Object {
  public:
    explicit RunningTask(TaskPromise& root) noexcept : root_(&root) {} ///< Made by start().
    ~RunningTask() override; ///< Destroys the task; one that runs at this moment as soon as it suspends.

    /// Every await of it, and of what it awaits, ends with std::errc::operation_canceled from now on: the one that it
    /// is in in the next turn, further ones a turn later each.
    void cancel();
    bool isCancelled() const noexcept { return cancelled_; } ///< cancel() was called.

    /// The Watch of this object; made, as a W, where there is none.
    template <class W, class Source>
    W& watch(Source& source) {
        if (watches_ != nullptr && watches_->source_ == &source) [[likely]]
            return static_cast<W&>(*watches_);
        if (Watch* const known = findWatch(source))
            return static_cast<W&>(*known);
        return static_cast<W&>(addWatch(std::unique_ptr<Watch>(new W(source, *this))));
    }

    Signal<> finished{this}; ///< The task has ended by itself.

  private:
    friend class SignalEnd;
    friend class Suspension;
    friend class TaskBase;
    friend class Watch;

    /// The time of an await is over, or something else ends it in the next turn.
    class Alarm final : public Deadline {
      public:
        explicit Alarm(RunningTask& task) noexcept : task_(task) {}
        using Deadline::joinLoop;
        using Deadline::leaveLoop;
        using Deadline::schedule;

      private:
        void dispatch() override { task_.interrupt(); }
        RunningTask& task_;
    };

    /// By which a signal that dies, on whichever thread, finds it.
    struct Address {
        std::mutex mutex;
        RunningTask* task;                      ///< null once it is gone
        std::atomic<std::uint64_t> awaited = 0; ///< the number of the signal's await that it is in; 0: in none
    };
    struct SignalGone;

    void leavingThread() override { alarm_.leaveLoop(); }
    void enteredThread() override { alarm_.joinLoop(); }
    void customEvent(Event& event) override;
    bool isBusy() const override { return runs_ || Object::isBusy(); }

    void begin();
    void resume(const TaskPromise& root, const TaskPromise& task);
    void lookAgain();
    void interrupt();
    void proceed(const TaskPromise& root, Suspension& waiting, bool isOver);
    template <class Question>
    bool ask(const TaskPromise& root, Suspension& waiting, const Question& question);
    [[gnu::noinline]] void lookOn(const TaskPromise& root, Suspension& waiting);
    void stopWaiting() noexcept {
        suspension_ = nullptr;
        listensTo_ = nullptr;
        if (others_)
            stopOthers();
    }
    void stopOthers() noexcept;
    /// For who arms it, or makes it come in the next turn.
    Alarm& alarm() {
        if (isArriving_) [[unlikely]]
            arriveNow();
        others_ = true;
        return alarm_;
    }
    [[gnu::noinline]] void alarmAgain();
    void finish();
    Watch* findWatch(const Object& source) noexcept;
    Watch& addWatch(std::unique_ptr<Watch> watch);
    void forget(Watch& watch);

    TaskPromise* root_; ///< null once it has ended
    Suspension* suspension_ = nullptr;
    const Watch* listensTo_ = nullptr; ///< by which the suspension is told; null where it has other ways
    std::unique_ptr<Watch> watches_;   ///< the last one used first
    detail::Interest interest_;        ///< of the last suspension that listened to the first one; none once cancelled
    std::shared_ptr<Address> address_;
    Alarm alarm_{*this};
    std::uint64_t awaits_ = 0; ///< counts the awaits of signals
    bool runs_ = false;        ///< the task, or one that it awaits, is on the stack
    bool again_ = false;       ///< something has happened meanwhile
    bool missed_ = false;      ///< the alarm came meanwhile
    bool others_ = false;      ///< than what is awaited may end the wait: time, cancelling, a signal's end
    bool cancelled_ = false;
    bool cancelNow_ = false;  ///< the await that it is in has not been told yet
    bool sourceGone_ = false; ///< and nor of this
};

/// Goes down with the slot that it is a part of, and tells the task unless that waits for something else by then.
class HALYARD_API SignalEnd {
  public:
    explicit SignalEnd(RunningTask& task);     ///< Of the await that `task` begins.
    SignalEnd(SignalEnd&&) noexcept = default; ///< The other tells nothing then.
    SignalEnd(const SignalEnd&) = delete;
    SignalEnd& operator=(const SignalEnd&) = delete;
    ~SignalEnd();

  private:
    std::shared_ptr<RunningTask::Address> address_;
    std::uint64_t await_;
};

inline void Watch::happened() {
    if (task_.listensTo_ == this)
        task_.lookAgain();
}

} // namespace halyard
