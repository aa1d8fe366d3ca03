#include "dispatcher.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/core/object.h>

#include "unix_signal_handle.h"

#include <algorithm>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

namespace halyard {

using namespace std::chrono_literals;

/// The handles that the loop itself needs. They outlive the dispatcher until libuv has let go of them.
struct Dispatcher::Handles {
    uv_loop_t ownLoop;
    uv_async_t wakeUp;
    uv_timer_t alarm;
    uv_prepare_t beforePoll; // these three in a host's loop only
    uv_check_t afterPoll;
    uv_idle_t noWait;
    int open = 0;

    template <class Handle>
    void close(Handle& handle) noexcept {
        auto* const base = reinterpret_cast<uv_handle_t*>(&handle);
        base->data = this;
        ++open;
        uv_close(base, [](uv_handle_t* closed) {
            auto* const handles = static_cast<Handles*>(closed->data);
            if (--handles->open == 0 && handles->hosted)
                delete handles;
        });
    }
    bool hosted;
};

Dispatcher::Dispatcher(uv_loop_t* host) : loop_(host), hosted_(host != nullptr), handles_(new Handles) {
    handles_->hosted = hosted_;
    const auto check = [this](int status) {
        if (status == 0)
            return;
        if (!hosted_ && loop_ != nullptr)
            uv_loop_close(loop_);
        delete handles_;
        throw std::system_error(-status, std::generic_category(), "halyard: cannot make an event loop");
    };
    if (!hosted_) {
        check(uv_loop_init(&handles_->ownLoop));
        loop_ = &handles_->ownLoop;
    }
    check(uv_async_init(loop_, &handles_->wakeUp, [](uv_async_t*) {}));
    handles_->wakeUp.data = this;
    uv_timer_init(loop_, &handles_->alarm);
    handles_->alarm.data = hosted_ ? nullptr : loop_;
    if (!hosted_)
        return;
    uv_prepare_init(loop_, &handles_->beforePoll);
    uv_check_init(loop_, &handles_->afterPoll);
    uv_idle_init(loop_, &handles_->noWait);
    handles_->beforePoll.data = this;
    handles_->afterPoll.data = this;
    uv_prepare_start(&handles_->beforePoll,
                     [](uv_prepare_t* handle) { static_cast<Dispatcher*>(handle->data)->dispatchForHost(); });
    uv_check_start(&handles_->afterPoll,
                   [](uv_check_t* handle) { static_cast<Dispatcher*>(handle->data)->dispatchForHost(); });
    for (auto* handle :
         {reinterpret_cast<uv_handle_t*>(&handles_->wakeUp), reinterpret_cast<uv_handle_t*>(&handles_->alarm),
          reinterpret_cast<uv_handle_t*>(&handles_->beforePoll), reinterpret_cast<uv_handle_t*>(&handles_->afterPoll),
          reinterpret_cast<uv_handle_t*>(&handles_->noWait)})
        uv_unref(handle);
}

Dispatcher::~Dispatcher() { dropTasks(); }

void Dispatcher::close(Dispatcher* dispatcher) noexcept {
    do {
        dispatcher->deleteAll();
        const std::lock_guard lock(dispatcher->endMutex_);
        dispatcher->closed_ = !dispatcher->hasDeletions_; // another thread may have asked meanwhile
    } while (!dispatcher->closed_);
    dispatcher->closeHandles();
    dispatcher->loop_ = nullptr;
    if (dispatcher->users_ == 0)
        delete dispatcher;
}

void Dispatcher::removeUser() noexcept {
    if (--users_ == 0 && closed_)
        delete this;
}

/// Drops the tasks and deletes the objects that wait for it: a thread's end is the last turn of its loop.
void Dispatcher::deleteAll() noexcept {
    while (hasDeletions_)
        runDeletions(1);
    dropTasks();
}

void Dispatcher::dropTasks() noexcept {
    for (takeInbox(); tasks_ != nullptr; takeInbox()) {
        const std::unique_ptr<Task> dropped(std::exchange(tasks_, tasks_->next));
        if (tasks_ == nullptr)
            tasksEnd_ = &tasks_;
        ++tasksBegun_;
    }
}

void Dispatcher::closeHandles() noexcept {
    while (ready_ != nullptr)
        unschedule(*ready_);
    while (!deadlines_.empty())
        deadlines_.remove(deadlines_.first());
    for (Dispatchable* const waiter : slotWaiters_)
        if (waiter != nullptr)
            waiter->slotPlace_ = 0;
    slotWaiters_.clear();
    uv_walk(
        loop_,
        [](uv_handle_t* handle, void*) {
            FdWatcher::Poll::detach(handle);
            UnixSignalHandle::detach(handle);
        },
        nullptr);
    Handles* const handles = std::exchange(handles_, nullptr);
    handles->close(handles->wakeUp);
    handles->close(handles->alarm);
    if (hosted_) {
        handles->close(handles->beforePoll);
        handles->close(handles->afterPoll);
        handles->close(handles->noWait);
        return; // the host's next turn frees them
    }
    while (handles->open != 0)
        uv_run(loop_, UV_RUN_NOWAIT);
    if (uv_loop_close(loop_) != 0) {
        logMessage(LogLevel::Error, "halyard.core", "a loop ends while handles of others are open in its uv loop");
        return; // they still use it
    }
    delete handles;
}

// --- the turn ---

bool Dispatcher::turn(std::optional<Clock::time_point> until) {
    gather(until);
    return dispatch();
}

bool Dispatcher::hasWork() {
    if (ready_ != nullptr || tasks_ != nullptr || inbox_.load(std::memory_order_relaxed) != nullptr ||
        !slotWaiters_.empty() || (hasDeletions_.load(std::memory_order_relaxed) && depth_ == 0))
        return true;
    return !deadlines_.empty() && deadlines_.first().when() <= Clock::now();
}

void Dispatcher::handleIsClosing() noexcept {
    constexpr int many = 64;
    if (++closing_ < many || hosted_ || closed_)
        return;
    closing_ = 0;
    uv_run(loop_, UV_RUN_NOWAIT); // gathers what is ready, too, and runs nothing of it
}

void Dispatcher::gather(std::optional<Clock::time_point> until) {
    closing_ = 0;
    if (hasWork() || (until && *until <= Clock::now())) {
        uv_run(loop_, UV_RUN_NOWAIT);
    } else {
        if (!deadlines_.empty() && (!until || deadlines_.first().when() < *until))
            until = deadlines_.first().when();
        armAlarm(until);
        uv_run(loop_, UV_RUN_ONCE);
    }
    collectDue();
}

bool Dispatcher::dispatch() {
    struct Depth {
        int& depth;
        explicit Depth(int& value) : depth(++value) {}
        ~Depth() { --depth; }
    };
    const Depth level(depth_);
    bool ran = !slotWaiters_.empty();
    callSlotWaiters();
    // What becomes ready from here on carries the next number and waits. A nested turn runs our rest too.
    const std::uint32_t last = turn_++;
    ran = runTasks() || ran;
    ran = runReady(last) || ran;
    if (hasDeletions_.load(std::memory_order_relaxed))
        ran = runDeletions(depth_) || ran;
    return ran;
}

/// What runs inside counts as a slot, whichever way it ends.
struct SlotScope {
    explicit SlotScope(Dispatcher& dispatcher) noexcept : dispatcher_(dispatcher) { dispatcher_.beginSlot(); }
    SlotScope(const SlotScope&) = delete;
    SlotScope& operator=(const SlotScope&) = delete;
    ~SlotScope() { dispatcher_.endSlot(); }
    Dispatcher& dispatcher_;
};

bool Dispatcher::runTasks() {
    takeInbox();
    // A nested turn may run some of ours meanwhile: what counts is how many had been taken when this one began.
    const std::uint64_t last = tasksTaken_;
    const bool any = tasks_ != nullptr;
    while (tasksBegun_ < last && tasks_ != nullptr) {
        const std::unique_ptr<Task> task(std::exchange(tasks_, tasks_->next));
        if (tasks_ == nullptr)
            tasksEnd_ = &tasks_;
        ++tasksBegun_;
        const SlotScope slot(*this);
        task->run();
    }
    return any;
}

bool Dispatcher::runReady(std::uint32_t last) {
    bool any = false;
    while (ready_ != nullptr && static_cast<std::int32_t>(ready_->turn_ - last) <= 0) {
        Dispatchable& next = *ready_;
        unschedule(next);
        any = true;
        const SlotScope slot(*this);
        next.dispatch();
    }
    return any;
}

void Dispatcher::endSlot() noexcept {
    if (!slotWaiters_.empty())
        callSlotWaiters();
    --running_;
}

void Dispatcher::callSlotWaiters() noexcept {
    for (std::size_t i = 0; i != slotWaiters_.size(); ++i) {
        if (Dispatchable* const waiter = std::exchange(slotWaiters_[i], nullptr)) {
            waiter->slotPlace_ = 0;
            waiter->slotReturned();
        }
    }
    slotWaiters_.clear();
}

// --- what there is to do ---

std::unique_ptr<Task> Dispatcher::post(std::unique_ptr<Task> task) {
    if (closed_)
        return task;
    Task* const added = task.release();
    Task* first = inbox_.load(std::memory_order_relaxed);
    do {
        added->next = first;
    } while (!inbox_.compare_exchange_weak(first, added, std::memory_order_release, std::memory_order_relaxed));
    // Whoever finds the inbox empty wakes the loop. Its own thread is awake, and looks before it sleeps.
    if (first == nullptr && (hosted_ || !isOwnThread()))
        wake();
    return nullptr;
}

void Dispatcher::moveTasks(Executor& other) {
    takeInbox();
    Task** place = &tasks_;
    while (*place != nullptr) {
        Task& each = **place;
        const Tracked* const receiver = each.receiver();
        std::unique_ptr<Task> moved;
        if (receiver != nullptr && receiver->executor() == &other) {
            *place = each.next;
            moved = other.post(std::unique_ptr<Task>(&each));
            if (moved == nullptr) {
                ++tasksBegun_; // a turn that counts on it ends early, and the next one does the rest
                continue;
            }
            *place = moved.release();
        }
        place = &each.next;
    }
    tasksEnd_ = place;
}

void Dispatcher::wake() noexcept {
    const std::lock_guard lock(endMutex_);
    if (!closed_)
        uv_async_send(&handles_->wakeUp);
}

void Dispatcher::takeInbox() noexcept {
    Task* last = inbox_.exchange(nullptr, std::memory_order_acquire);
    if (last == nullptr)
        return;
    Task* first = nullptr;
    Task** const end = &last->next;
    while (last != nullptr) {
        Task* const before = std::exchange(last->next, first);
        first = last;
        last = before;
        ++tasksTaken_;
    }
    *tasksEnd_ = first;
    tasksEnd_ = end;
}

void Dispatcher::schedule(Dispatchable& what) noexcept {
    if (what.previous_ != nullptr || closed_)
        return;
    what.turn_ = turn_;
    what.next_ = nullptr;
    what.previous_ = readyEnd_;
    *readyEnd_ = &what;
    readyEnd_ = &what.next_;
}

void Dispatcher::unschedule(Dispatchable& what) noexcept {
    if (what.previous_ == nullptr)
        return;
    *what.previous_ = what.next_;
    if (what.next_ != nullptr)
        what.next_->previous_ = what.previous_;
    else
        what.dispatcher_->readyEnd_ = what.previous_;
    what.previous_ = nullptr;
}

void Dispatcher::scheduleSlotReturned(Dispatchable& what) {
    if (what.slotPlace_ != 0 || closed_)
        return;
    slotWaiters_.push_back(&what);
    what.slotPlace_ = static_cast<std::uint32_t>(slotWaiters_.size());
}

void Dispatcher::deleteLater(Object* object) {
    const bool own = isOwnThread();
    {
        const std::lock_guard lock(endMutex_);
        if (closed_)
            return;
        deletions_.push_back({object, own && running_ != 0 ? depth_ : 0});
        hasDeletions_ = true;
    }
    if (hosted_ || !own)
        wake();
}

void Dispatcher::forgetDeletion(Object* object) noexcept {
    if (object == beingDeleted_) {
        beingDeleted_ = nullptr;
        return;
    }
    const std::lock_guard lock(endMutex_);
    for (Deletion& each : deletions_)
        if (each.object == object)
            each.object = nullptr;
}

/// Deletes what was asked for at this level of nesting or deeper: an object whose slot runs a nested loop stays alive
/// until control is back in the loop that called the slot. What is asked for meanwhile waits for the next turn.
bool Dispatcher::runDeletions(int level) {
    std::unique_lock lock(endMutex_);
    ++deleting_;
    bool any = false;
    for (std::size_t i = 0, end = deletions_.size(); i != end; ++i) {
        if (level > std::max(deletions_[i].level, 1))
            continue;
        Object* const object = std::exchange(deletions_[i].object, nullptr);
        if (object == nullptr)
            continue;
        any = true;
        beingDeleted_ = object;
        lock.unlock();
        delete object;
        lock.lock();
    }
    const auto isDone = [](const Deletion& each) { return each.object == nullptr; };
    if (--deleting_ == 0) // else an outer one still counts the places
        std::erase_if(deletions_, isDone);
    hasDeletions_ = !std::all_of(deletions_.begin(), deletions_.end(), isDone);
    return any;
}

// --- deadlines ---

void Dispatcher::arm(Deadline& deadline) {
    if (closed_)
        return;
    unschedule(deadline);
    deadlines_.put(deadline);
}

void Dispatcher::disarm(Deadline& deadline) noexcept {
    unschedule(deadline);
    deadlines_.remove(deadline);
}

void Dispatcher::collectDue() {
    if (deadlines_.empty())
        return;
    const Clock::time_point now = Clock::now();
    while (!deadlines_.empty() && deadlines_.first().when() <= now) {
        Deadline& due = deadlines_.first();
        deadlines_.remove(due);
        schedule(due);
    }
}

void Dispatcher::armAlarm(std::optional<Clock::time_point> when) noexcept {
    if (!when) {
        if (alarm_)
            uv_timer_stop(&handles_->alarm);
        alarm_.reset();
        return;
    }
    if (alarm_ == when && uv_is_active(reinterpret_cast<uv_handle_t*>(&handles_->alarm)) != 0)
        return;
    alarm_ = when;
    uv_update_time(loop_);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*when - Clock::now());
    // UV_RUN_ONCE runs timers that are due and then still blocks: the callback ends the run. In a host's loop the
    // dispatch before polling does.
    uv_timer_start(
        &handles_->alarm,
        [](uv_timer_t* handle) {
            if (handle->data != nullptr)
                uv_stop(handle->loop);
        },
        static_cast<std::uint64_t>(std::max<std::int64_t>(wait.count(), 0)), 0);
}

std::optional<std::chrono::milliseconds> Dispatcher::timeout() {
    if (hasWork())
        return 0ms;
    std::optional<std::chrono::milliseconds> wait;
    if (!deadlines_.empty())
        wait = std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(deadlines_.first().when() - Clock::now()));
    armAlarm(std::nullopt); // else it would shorten libuv's own answer
    if (const int uv = uv_backend_timeout(loop_); uv >= 0 && (!wait || std::chrono::milliseconds(uv) < *wait))
        wait = std::chrono::milliseconds(uv);
    return wait;
}

// --- exec ---

void Dispatcher::enter(ExecLevel& level) noexcept {
    level.outer = level_;
    level_ = &level;
    executing_.store(true, std::memory_order_relaxed);
}

void Dispatcher::leave(ExecLevel& level) noexcept {
    level_ = level.outer;
    executing_.store(level_ != nullptr, std::memory_order_relaxed);
}

void Dispatcher::exit(int code) {
    if (level_ == nullptr)
        return;
    level_->quit = true;
    level_->code = code;
}

// --- in a host's loop ---

void Dispatcher::dispatchForHost() noexcept {
    // An exception must not cross libuv's frames: noexcept ends the program where dispatch() lets one out.
    const auto reported = [](std::string_view what) {
        logMessage(LogLevel::Critical, "halyard.core",
                   std::string("an exception left a slot in a host's loop: ").append(what));
        std::terminate();
    };
    addUser(); // a slot may end the loop
    try {
        collectDue();
        dispatch();
    } catch (const std::exception& error) {
        reported(error.what());
    } catch (...) {
        reported("of no known type");
    }
    if (!closed_) {
        if (hasWork())
            uv_idle_start(&handles_->noWait, [](uv_idle_t*) {});
        else
            uv_idle_stop(&handles_->noWait);
        armAlarm(deadlines_.empty() ? std::nullopt : std::optional(deadlines_.first().when()));
    }
    removeUser();
}

} // namespace halyard
