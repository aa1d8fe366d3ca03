#include <halyard/signals/link.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace halyard::detail {

namespace {

/// What the two threads of a blocking call share.
struct Answer {
    enum Phase { Waiting, Begun, TakenBack, Over };
    std::mutex mutex;
    std::condition_variable changed;
    Phase phase = Waiting;

    /// False where it is too late.
    bool change(Phase from, Phase to) {
        {
            const std::lock_guard lock(mutex);
            if (phase != from)
                return false;
            phase = to;
        }
        changed.notify_all();
        return true;
    }
};

/// A call whose emission waits until it has run, or was dropped.
class Awaited final : public Runnable {
  public:
    Awaited(std::unique_ptr<Runnable> call, std::shared_ptr<Answer> answer) noexcept
        : call_(std::move(call)), answer_(std::move(answer)) {}
    Awaited(const Awaited&) = delete;
    Awaited& operator=(const Awaited&) = delete;
    ~Awaited() override {
        call_.reset();
        if (!answer_->change(Answer::Waiting, Answer::Over))
            answer_->change(Answer::Begun, Answer::Over);
    }
    void run() override {
        if (answer_->change(Answer::Waiting, Answer::Begun))
            call_->run();
    }
    const Tracked* receiver() const noexcept override { return call_->receiver(); }

  private:
    std::unique_ptr<Runnable> call_;
    std::shared_ptr<Answer> answer_;
};

/// Whether threads that wait for each other's answers would close a circle.
bool waitsForMe(const Affinity& other, const Affinity& me) noexcept {
    constexpr int manyThreads = 1000; // others may be about to give up a circle of theirs
    const Affinity* each = &other;
    for (int i = 0; i != manyThreads && each != nullptr && each != &me; ++i)
        each = each->waitsFor.load();
    return each == &me;
}

/// Whether the thread's executor runs what waits for it.
bool isRunning(const Affinity& thread) noexcept {
    const Section section(Affinity::current()); // the executor cannot go meanwhile
    const Executor* const executor = thread.executor.load();
    return executor != nullptr && executor->isRunning();
}

} // namespace

void Link::postAndWait(std::unique_ptr<Runnable> task) {
    Affinity& me = Affinity::current();
    // Null once the link has left the ring: then the receiver may be gone, and a call that has not begun never does.
    const auto receiversThread = [this]() -> Affinity* {
        const Exclusive right([this](const Affinity& thread) { return isGuardedBy(thread); });
        return previous != nullptr ? &receiver->affinity() : nullptr;
    };
    Affinity* there = receiversThread();
    if (there == nullptr)
        return;
    me.waitsFor = there;
    struct Waiting {
        Affinity& thread;
        ~Waiting() { thread.waitsFor = nullptr; }
    } const waiting{me};
    if (waitsForMe(*there, me)) {
        reportMisuse("a blocking slot is not called: its receiver's thread waits for this one");
        return;
    }
    const auto answer = std::make_shared<Answer>();
    if (post(std::make_unique<Awaited>(std::move(task), answer)) != nullptr)
        return;
    // A thread that pumps its loop now and then, or is about to run it, looks idle for a moment; one that stays idle
    // would let this one wait for ever.
    constexpr auto look = std::chrono::milliseconds(50);
    constexpr int idleLooks = 3;
    std::unique_lock lock(answer->mutex);
    for (int idle = 0; answer->phase != Answer::Over;) {
        answer->changed.wait_for(lock, look);
        if (answer->phase != Answer::Waiting)
            continue;
        lock.unlock();
        there = receiversThread(); // it may have moved, and the call with it: to this one, even
        me.waitsFor = there;
        const bool circle = there != nullptr && waitsForMe(*there, me);
        idle = there != nullptr && isRunning(*there) ? 0 : idle + 1;
        if (there == nullptr && answer->change(Answer::Waiting, Answer::TakenBack))
            return;
        if ((circle || idle == idleLooks) && answer->change(Answer::Waiting, Answer::TakenBack)) {
            reportMisuse(circle ? "a blocking slot is not called: its receiver's thread waits for this one"
                                : "a blocking slot is not called: nothing runs on its receiver's thread");
            return;
        }
        lock.lock();
    }
}

} // namespace halyard::detail
