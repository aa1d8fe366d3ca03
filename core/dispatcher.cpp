#include "dispatcher.h"
#include "manual_time.h"

#include <halyard/core/object.h>

#include <algorithm>
#include <utility>

namespace halyard {

Dispatcher::~Dispatcher() { dropTasks(); }

void Dispatcher::close(Dispatcher* dispatcher) noexcept {
    do {
        dispatcher->deleteAll();
        const std::lock_guard lock(dispatcher->endMutex_);
        dispatcher->state_ =
            dispatcher->hasDeletions() ? State::Open : State::Closed; // others may have asked meanwhile
    } while (!dispatcher->isClosed());
    dispatcher->itsThread_ = nullptr;
    dispatcher->closeHandles();
    dispatcher->loop_ = nullptr;
    dispatcher->removeUser();
}

/// Drops the tasks and deletes the objects that wait for it: a thread's end is the last turn of its loop.
void Dispatcher::deleteAll() noexcept {
    while (hasDeletions())
        runDeletions(1);
    dropTasks();
}

void Dispatcher::dropTasks() noexcept {
    for (takeInbox(); tasks_ != nullptr; takeInbox()) {
        const std::unique_ptr<Runnable> dropped(std::exchange(tasks_, tasks_->next));
        if (tasks_ == nullptr)
            tasksEnd_ = &tasks_;
        ++tasksBegun_;
    }
}

// --- the turn ---

bool Dispatcher::turn(std::optional<Clock::time_point> until) {
    if (state_ == State::Lent) {
        state_ = State::Open;
        beAwake();
    }
    if (depth != 0 && beforeNestedTurn != nullptr) [[unlikely]]
        beforeNestedTurn();
    gather(until);
    return dispatch();
}

bool Dispatcher::hasQueued() const noexcept {
    return ready_ != nullptr || tasks_ != nullptr || hasPosted() || isAwaited || (turns_ == 0 && hasDeletions());
}

bool Dispatcher::hasWork() const noexcept {
    return hasQueued() || (!deadlines_.empty() && deadlines_.first().when() <= Clock::now());
}

bool Dispatcher::dispatch() {
    struct Level {
        Dispatcher& its;
        explicit Level(Dispatcher& dispatcher) noexcept : its(dispatcher) {
            if (its.turns_++ == 0)
                its.executing_.store(true, std::memory_order_relaxed);
        }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;
        ~Level() {
            --its.turns_;
            its.seeWhetherExecuting();
        }
    };
    const Level level(*this);
    bool ran = isAwaited;
    callSlotWaiters();
    // What becomes ready from here on carries the next number and waits. A nested turn runs our rest too.
    const std::uint32_t last = turn_++;
    ran = runTasks() || ran;
    ran = runReady(last) || ran;
    if (hasDeletions())
        ran = runDeletions(turns_) || ran;
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
    takePosted();
    const bool any = tasks_ != nullptr;
    // A nested turn may run some of ours meanwhile, and then all that it has taken: what counts is how many.
    while (tasksBegun_ < tasksDue_ && tasks_ != nullptr) {
        const std::unique_ptr<Runnable> task(std::exchange(tasks_, tasks_->next));
        if (tasks_ == nullptr)
            tasksEnd_ = &tasks_;
        ++tasksBegun_;
        __builtin_prefetch(tasks_); // it comes from another processor, in a burst
        const SlotScope slot(*this);
        task->run();
    }
    return any;
}

void Dispatcher::takePosted() noexcept {
    takeInbox();
    tasksDue_ = tasksTaken_;
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

void Dispatcher::callSlotWaiters() noexcept {
    for (std::size_t i = 0; i != slotWaiters_.size(); ++i) {
        if (Dispatchable* const waiter = std::exchange(slotWaiters_[i], nullptr)) {
            waiter->slotPlace_ = 0;
            waiter->slotReturned();
        }
    }
    slotWaiters_.clear();
    isAwaited = false;
}

// --- what there is to do ---

std::unique_ptr<Runnable> Dispatcher::post(std::unique_ptr<Runnable> task) {
    if (isClosed())
        return task;
    Runnable* const added = task.release();
    Runnable* before = inbox_.load(std::memory_order_relaxed);
    while (before != asleep()) {
        added->next = before;
        if (inbox_.compare_exchange_weak(before, added, std::memory_order_release, std::memory_order_relaxed))
            return nullptr; // the task may have ended the loop, and its thread: nothing here is looked at any more
    }
    postToSleeper(added);
    return nullptr;
}

/// Whoever takes the sleep away has to wake the loop, which the task may have ended by then.
void Dispatcher::postToSleeper(Runnable* added) noexcept {
    const Kept kept(*this);
    Runnable* before = inbox_.load(std::memory_order_relaxed);
    do
        added->next = before != asleep() ? before : nullptr;
    while (!inbox_.compare_exchange_weak(before, added, std::memory_order_release, std::memory_order_relaxed));
    if (before == asleep())
        wake();
}

void Dispatcher::moveTasks(Executor& other) {
    takeInbox();
    Runnable** place = &tasks_;
    while (*place != nullptr) {
        Runnable& each = **place;
        const Tracked* const receiver = each.receiver();
        std::unique_ptr<Runnable> moved;
        if (receiver != nullptr && receiver->executor() == &other) {
            *place = each.next;
            moved = other.post(std::unique_ptr<Runnable>(&each));
            if (moved == nullptr) {
                ++tasksBegun_; // a turn that counts on it ends early, and the next one does the rest
                continue;
            }
            *place = moved.release();
        }
        place = &each.next;
    }
    tasksEnd_ = place;
    if (hasDeletions())
        moveDeletions(other);
}

/// The objects take them along; those that have just moved are still this thread's to look at.
void Dispatcher::moveDeletions(const Executor& other) noexcept {
    const auto takeAlong = [&other](Object* object) {
        const bool has = object != nullptr && object->executor() == &other;
        if (has)
            object->takeDeletionAlong();
        return has;
    };
    for (Deletion& each : deletions_) {
        if (takeAlong(each.object)) {
            each.object = nullptr;
            --deletionsLeft_;
        }
    }
    const std::lock_guard lock(endMutex_);
    std::erase_if(deletionsOfOthers_, takeAlong);
}

void Dispatcher::takeInbox() noexcept {
    if (!hasPosted())
        return;
    Runnable* last = inbox_.exchange(nullptr, std::memory_order_acquire);
    Runnable* first = nullptr;
    Runnable** const end = &last->next;
    while (last != nullptr) {
        Runnable* const before = std::exchange(last->next, first);
        first = last;
        last = before;
        ++tasksTaken_;
    }
    *tasksEnd_ = first;
    tasksEnd_ = end;
}

void Dispatcher::appendUnlessClosed(Dispatchable& what) noexcept {
    if (!isClosedElseWakes())
        append(what);
}

void Dispatcher::scheduleSlotReturned(Dispatchable& what) {
    if (what.slotPlace_ != 0 || (state_ != State::Open && isClosedElseWakes()))
        return;
    slotWaiters_.push_back(&what);
    isAwaited = true;
    what.slotPlace_ = static_cast<std::uint32_t>(slotWaiters_.size());
}

void Dispatcher::deleteLater(Object* object) {
    if (isOwnThread()) {
        if (isClosed())
            return;
        deletions_.push_back({object, depth != 0 ? turns_ : 0});
        ++deletionsLeft_;
        if (hosted_ || state_ == State::Lent)
            wake();
        return;
    }
    const std::lock_guard lock(endMutex_); // to the end: the object may be what keeps us
    if (isClosed())
        return;
    deletionsOfOthers_.push_back(object);
    othersAskDeletion_ = true;
    wakeLocked();
}

void Dispatcher::takeDeletionsOfOthers() {
    const std::lock_guard lock(endMutex_);
    deletions_.reserve(deletions_.size() + deletionsOfOthers_.size()); // all or, where there is no memory, none
    for (Object* const object : deletionsOfOthers_)
        deletions_.push_back({object, 0});
    deletionsLeft_ += deletionsOfOthers_.size();
    deletionsOfOthers_.clear();
    othersAskDeletion_ = false;
}

void Dispatcher::forgetDeletion(Object* object) noexcept {
    if (object == beingDeleted_) {
        beingDeleted_ = nullptr;
        return;
    }
    for (Deletion& each : deletions_) {
        if (each.object == object) {
            each.object = nullptr;
            --deletionsLeft_;
        }
    }
    const std::lock_guard lock(endMutex_);
    std::erase(deletionsOfOthers_, object);
}

/// Deletes what was asked for at this level of nesting or deeper: an object whose slot runs a nested loop stays alive
/// until control is back in the loop that called the slot. What is asked for meanwhile waits for the next turn.
bool Dispatcher::runDeletions(int level) {
    if (othersAskDeletion_.load(std::memory_order_relaxed))
        takeDeletionsOfOthers();
    ++deleting_;
    bool any = false;
    for (std::size_t i = 0, end = deletions_.size(); i != end; ++i) {
        if (level > std::max(deletions_[i].level, 1))
            continue;
        Object* const object = std::exchange(deletions_[i].object, nullptr);
        if (object == nullptr)
            continue;
        any = true;
        --deletionsLeft_;
        beingDeleted_ = object;
        delete object;
    }
    if (--deleting_ == 0) // else an outer one still counts the places
        std::erase_if(deletions_, [](const Deletion& each) { return each.object == nullptr; });
    return any;
}

// --- deadlines ---

void Dispatcher::arm(Deadline& deadline) {
    if (state_ != State::Open && isClosedElseWakes())
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
        if (manualClock != nullptr) [[unlikely]]
            manualClock->lastDue_ = now;
    }
}

// --- exec ---

void Dispatcher::enter(ExecLevel& level) noexcept {
    level.outer = level_;
    level_ = &level;
    executing_.store(true, std::memory_order_relaxed);
}

void Dispatcher::leave(ExecLevel& level) noexcept {
    level_ = level.outer;
    seeWhetherExecuting();
    if (level_ == nullptr)
        quitting_.reset();
}

void Dispatcher::exit(int code) {
    if (level_ == nullptr)
        return;
    level_->quit = true;
    level_->code = code;
}

void Dispatcher::exitAll(int code) noexcept {
    quitting_ = code;
    for (ExecLevel* each = level_; each != nullptr; each = each->outer) {
        each->quit = true;
        each->code = code;
    }
}

std::optional<int> Dispatcher::quitAhead() noexcept {
    const std::optional<int> code = quitting_;
    if (level_ == nullptr)
        quitting_.reset(); // the next one is for a new life
    return code;
}

} // namespace halyard
