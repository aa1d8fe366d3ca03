#include <halyard/core/thread.h>

#include "dispatcher.h"
#include "later.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace halyard {

namespace {

constinit thread_local Thread* currentThread = nullptr;

void complain(const std::string& sentence) { logMessage(LogLevel::Error, "halyard.core", sentence); }

} // namespace

struct Thread::State {
    enum class Phase { New, Starting, Running, Finishing, Ended };

    mutable std::mutex mutex; ///< over all of it
    std::condition_variable changed;
    Phase phase = Phase::New;
    Thread* object = nullptr; ///< null when it was destroyed by its own thread
    std::thread thread;       ///< whoever waits first joins it
    std::thread::id id;
    EventLoop* loop = nullptr; ///< while it runs
    detail::Affinity* affinity = nullptr;
    std::optional<int> exitWhenThere;
    int exitCode = 0;

    /// Such a one lives on the thread that it stands for.
    bool isAdopted() const { return loop == nullptr && phase == Phase::Running; }
    EventLoop* itsLoop() const { return isAdopted() ? object->Object::loop() : loop; }

    void setPhase(Phase next) {
        const std::lock_guard lock(mutex);
        phase = next;
        changed.notify_all();
    }
};

Thread::Thread(Object* parent) : Object(parent), state_(std::make_shared<State>()) { state_->object = this; }

Thread::Thread(Adopted) : state_(std::make_shared<State>()) {
    state_->object = this;
    state_->phase = State::Phase::Running;
    state_->id = std::this_thread::get_id();
    state_->affinity = &affinity();
}

Thread::~Thread() {
    if (!state_->thread.joinable() && isThisThread())
        return; // adopted, and at its end
    if (isThisThread()) {
        complain("a Thread is destroyed by itself: it runs on without its object");
        const std::lock_guard lock(state_->mutex);
        state_->object = nullptr;
        state_->thread.detach();
        setCurrent(nullptr);
        if (Executor* const its = Executor::current())
            static_cast<Dispatcher*>(its)->setThread(nullptr);
        return;
    }
    exit();
    wait();
}

bool Thread::isThisThread() const {
    const std::lock_guard lock(state_->mutex);
    return state_->id == std::this_thread::get_id();
}

bool Thread::start() {
    using Phase = State::Phase;
    std::unique_lock lock(state_->mutex);
    while (state_->phase == Phase::Finishing) {
        if (state_->id == std::this_thread::get_id()) {
            complain("Thread::start(): it cannot start again before it has finished");
            return false;
        }
        state_->changed.wait(lock);
    }
    if (state_->phase == Phase::New || state_->phase == Phase::Ended) {
        std::thread before = std::move(state_->thread);
        state_->phase = Phase::Starting;
        state_->exitWhenThere.reset();
        try {
            if (before.joinable())
                before.join(); // it only has to leave
            state_->thread = std::thread(&Thread::main, state_);
            state_->id = state_->thread.get_id();
        } catch (const std::exception& error) { // that there is no memory, too
            state_->phase = Phase::New;
            complain(std::string("Thread::start(): the system has no thread left: ") + error.what());
        }
    }
    state_->changed.wait(lock, [this] { return state_->phase != Phase::Starting; });
    return state_->phase != Phase::New;
}

/// The thread's own: it touches the object only while that is there.
void Thread::main(const std::shared_ptr<State>& state) {
    Thread* const self = state->object;
    setCurrent(self);
    try {
        EventLoop* const loop = EventLoop::current();
        const std::lock_guard lock(state->mutex);
        state->loop = loop;
        state->affinity = &detail::Affinity::current();
        if (state->exitWhenThere)
            static_cast<Dispatcher*>(loop->executor())->exitAll(*state->exitWhenThere);
        state->phase = State::Phase::Running;
        state->changed.notify_all();
    } catch (const std::exception& error) {
        complain(std::string("Thread::start(): ") + error.what());
        const std::lock_guard lock(state->mutex);
        state->thread.detach(); // nobody waits for what was not started
        state->id = {};
        state->phase = State::Phase::New;
        state->changed.notify_all();
        return;
    }
    const auto isThere = [&state, self] {
        const std::lock_guard lock(state->mutex);
        return state->object == self;
    };
    try {
        self->started();
        if (isThere())
            self->run();
        {
            const std::lock_guard lock(state->mutex);
            state->loop = nullptr;
            state->phase = State::Phase::Finishing;
            state->changed.notify_all();
        }
        if (isThere())
            self->finished();
    } catch (...) {
        endProgram("Thread::run()", std::current_exception());
    }
    Dispatcher::endCurrent(); // deletes what is to be deleted
    setCurrent(nullptr);
    state->setPhase(State::Phase::Ended);
}

namespace {

class ExitAll final : public Runnable {
  public:
    explicit ExitAll(int code) noexcept : code_(code) {}
    void run() override { Dispatcher::current().exitAll(code_); }

  private:
    int code_;
};

} // namespace

void Thread::exit(int code) {
    const std::lock_guard lock(state_->mutex);
    if (state_->phase == State::Phase::Starting)
        state_->exitWhenThere = code;
    if (state_->loop == nullptr && !state_->isAdopted())
        return;
    if (state_->id == std::this_thread::get_id()) {
        if (Executor* const its = Executor::current())
            static_cast<Dispatcher*>(its)->exitAll(code);
    } else if (state_->loop != nullptr) {
        state_->loop->executor()->post(std::make_unique<ExitAll>(code));
    } else {
        post(std::make_unique<ExitAll>(code)); // not by its loop, which may be one by hand that goes meanwhile
    }
}

bool Thread::wait(std::chrono::milliseconds atMost) {
    if (isThisThread()) {
        complain("Thread::wait(): a thread cannot wait for itself");
        return false;
    }
    std::thread done;
    {
        std::unique_lock lock(state_->mutex);
        const auto hasEnded = [this] {
            return state_->phase == State::Phase::New || state_->phase == State::Phase::Ended;
        };
        using Real = std::chrono::steady_clock;
        const auto until = atMost.count() < 0 ? Real::time_point::max() : later(Real::now(), atMost);
        if (until == Real::time_point::max())
            state_->changed.wait(lock, hasEnded);
        else if (!state_->changed.wait_until(lock, until, hasEnded))
            return false;
        if (hasEnded())
            done = std::move(state_->thread);
    }
    if (done.joinable())
        done.join();
    return true;
}

bool Thread::isRunning() const {
    const std::lock_guard lock(state_->mutex);
    return state_->phase == State::Phase::Starting || state_->phase == State::Phase::Running;
}

bool Thread::isFinished() const {
    const std::lock_guard lock(state_->mutex);
    return state_->phase == State::Phase::Finishing || state_->phase == State::Phase::Ended;
}

int Thread::exitCode() const {
    const std::lock_guard lock(state_->mutex);
    return state_->exitCode;
}

detail::Affinity* Thread::affinityNow() const {
    const std::lock_guard lock(state_->mutex);
    return state_->phase == State::Phase::Running ? state_->affinity : nullptr;
}

EventLoop* Thread::eventLoop() const {
    const std::lock_guard lock(state_->mutex);
    return state_->itsLoop();
}

void Thread::run() { exec(); }

int Thread::exec() {
    if (!isThisThread()) {
        complain("Thread::exec(): it belongs into the thread's own run()");
        return -1;
    }
    const std::shared_ptr<State> state = state_; // a slot may destroy the object
    const int code = EventLoop::current()->exec();
    const std::lock_guard lock(state->mutex);
    return state->exitCode = code;
}

Thread* Thread::current() {
    if (currentThread == nullptr)
        Dispatcher::adoptThread();
    return currentThread;
}

Thread* Thread::currentOrNull() noexcept { return currentThread; }
void Thread::setCurrent(Thread* thread) noexcept { currentThread = thread; }

} // namespace halyard
