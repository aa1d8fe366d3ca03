#include <halyard/core/event_loop.h>

#include "dispatcher.h"

#include <halyard/core/log.h>
#include <halyard/core/thread.h>
#include <halyard/signals/pointer.h>

#include <optional>
#include <string>
#include <utility>

namespace halyard {

/// The loops of a thread. The first one is what its objects live in; it stays, under whichever EventLoop stands for
/// it, until the thread ends.
class ThreadLoops {
  public:
    static ThreadLoops& ofThisThread() {
        // Trivial, so that an object that dies after its thread's other variables may still make one. That one stays.
        constinit static thread_local ThreadLoops* loops = nullptr;
        if (loops == nullptr) {
            loops = new ThreadLoops;
            struct AtThreadEnd {
                ~AtThreadEnd() {
                    delete loops;
                    loops = nullptr;
                }
            };
            static thread_local const AtThreadEnd janitor;
        }
        return *loops;
    }

    ThreadLoops() = default;
    ThreadLoops(const ThreadLoops&) = delete;
    ThreadLoops& operator=(const ThreadLoops&) = delete;
    ~ThreadLoops() {
        setFirst(nullptr);
        if (adopted_ != nullptr)
            Thread::setCurrent(nullptr);
    }

    Dispatcher& first() {
        if (first_ == nullptr)
            setFirst(make(nullptr));
        if (first_->facade() == nullptr)
            implicit_.reset(new EventLoop(*first_));
        return *first_;
    }

    /// The dispatcher for an EventLoop made by hand: the thread's first, where no other one stands for it yet.
    Dispatcher& forLoop(uv_loop_t* host) {
        if (first_ != nullptr && (host != nullptr || first_->facade() != implicit_.get()))
            return *make(host);
        if (first_ == nullptr)
            setFirst(make(host));
        return *first_;
    }

    void end(EventLoop* loop, Dispatcher& dispatcher) {
        if (dispatcher.facade() != loop)
            return;
        if (first_ != &dispatcher) {
            Dispatcher::close(&dispatcher);
        } else if (dispatcher.isHosted()) {
            setFirst(nullptr); // its host takes the uv loop away
        } else {
            dispatcher.setFacade(loop != implicit_.get() ? implicit_.get() : nullptr);
        }
    }

    void endAll() { setFirst(nullptr); }

    void adoptThread() { adoptFor(first()); }

  private:
    static Dispatcher* make(uv_loop_t* host) {
        auto* const dispatcher = new Dispatcher(host);
        dispatcher->setThread(Thread::currentOrNull());
        return dispatcher;
    }

    void setFirst(Dispatcher* first) {
        if (first_ != nullptr) {
            first_->addUser(); // what it deletes at its end may still ask for it, and so may we
            Dispatcher::close(first_);
            first_->setFacade(nullptr);
            implicit_.reset();
        }
        Dispatcher* const before = std::exchange(first_, first);
        Dispatcher::makeCurrent(first); // from here on no other thread has it in hand
        if (before != nullptr)
            before->removeUser();
        if (first != nullptr)
            adoptFor(*first);
    }

    /// Who has a loop has a Thread.
    void adoptFor(Dispatcher& its) {
        if (Thread::currentOrNull() != nullptr)
            return;
        adopted_.reset(new Thread(Thread::Adopted()));
        Thread::setCurrent(adopted_.get());
        its.setThread(adopted_.get());
    }

    std::unique_ptr<Thread> adopted_; ///< where the thread is not a Thread's
    Dispatcher* first_ = nullptr;
    std::unique_ptr<EventLoop> implicit_;
};

Dispatcher& Dispatcher::current() {
    // Whoever made it the thread's executor was ThreadLoops.
    if (Executor* const current = Executor::current())
        return static_cast<Dispatcher&>(*current);
    return ThreadLoops::ofThisThread().first();
}

void Dispatcher::adoptThread() { ThreadLoops::ofThisThread().adoptThread(); }

void Dispatcher::endCurrent() { ThreadLoops::ofThisThread().endAll(); }

EventLoop::EventLoop() : EventLoop(ThreadLoops::ofThisThread().forLoop(nullptr)) {}

EventLoop::EventLoop(uv_loop_s* host) : EventLoop(ThreadLoops::ofThisThread().forLoop(host)) {}

EventLoop::EventLoop(Dispatcher& dispatcher) : dispatcher_(dispatcher) {
    dispatcher.setFacade(this);
    dispatcher.addUser();
}

EventLoop::~EventLoop() {
    ThreadLoops::ofThisThread().end(this, dispatcher_);
    dispatcher_.removeUser();
}

void EventLoop::postTask(std::unique_ptr<Runnable> task) { dispatcher_.post(std::move(task)); }

EventLoop* EventLoop::current() { return ThreadLoops::ofThisThread().first().facade(); }

/// Whether this thread may run its turns. If not, the log says why.
bool EventLoop::mayRun(const char* call) const {
    const char* why = nullptr;
    if (dispatcher_.isHosted())
        why = "this loop lives in a host's uv loop, which the host runs";
    else if (!dispatcher_.isOwnThread())
        why = "this loop belongs to another thread";
    else if (dispatcher_.isInUv())
        why = "this is a callback of libuv's, from inside the loop's own turn: post() what has to run it";
    if (why != nullptr)
        logMessage(LogLevel::Error, "halyard.core", std::string("EventLoop::").append(call).append("(): ").append(why));
    return why == nullptr;
}

int EventLoop::exec() {
    if (!mayRun("exec"))
        return -1;
    if (const std::optional<int> code = dispatcher_.quitAhead())
        return *code;
    struct Level : Dispatcher::ExecLevel {
        explicit Level(Dispatcher& dispatcher) noexcept : Dispatcher::ExecLevel{nullptr}, its(dispatcher) {
            its.enter(*this);
        }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;
        ~Level() { its.leave(*this); }
        Dispatcher& its;
    };
    const Dispatcher::Kept kept(dispatcher_);
    const Pointer<EventLoop> self(this);
    Level level(dispatcher_);
    while (!level.quit && self)
        level.its.turn(std::nullopt);
    if (level.outer == nullptr && self)
        aboutToQuit();
    return level.code;
}

void EventLoop::exit(int code) {
    if (dispatcher_.isOwnThread())
        dispatcher_.exit(code);
    else
        post([&dispatcher = dispatcher_, code] { dispatcher.exit(code); });
}

bool EventLoop::processEvents(std::chrono::milliseconds wait) {
    if (!mayRun("processEvents"))
        return false;
    Dispatcher& dispatcher = dispatcher_; // this may be gone after a turn
    const Dispatcher::Kept kept(dispatcher);
    if (wait.count() < 0) {
        while (!dispatcher.turn(std::nullopt)) {
        }
        return true;
    }
    const auto until = WaitClock::after(wait);
    while (!dispatcher.turn(until))
        if (WaitClock::now() >= until)
            return false;
    return true;
}

void EventLoop::driveOnce() noexcept {
    if (mayRun("driveOnce"))
        dispatcher_.driveOnce();
}

void EventLoop::setExceptionHandler(std::function<void(std::exception_ptr)> handler) {
    dispatcher_.setExceptionHandler(std::move(handler));
}

uv_loop_s* EventLoop::uvLoop() const noexcept {
    dispatcher_.shareUv();
    return dispatcher_.uvLoop();
}

int EventLoop::backendFd() const noexcept { return dispatcher_.backendFd(); }

std::optional<std::chrono::milliseconds> EventLoop::backendTimeout() const { return dispatcher_.timeout(); }

} // namespace halyard
