#include <halyard/core/running_task.h>

#include <halyard/core/event.h>
#include <halyard/core/task.h>

#include <utility>

namespace halyard {

// --- the task ---

RunningTask::~RunningTask() {
    endConnections();
    if (address_ != nullptr) {
        const std::lock_guard lock(address_->mutex);
        address_->task = nullptr;
    }
    TaskPromise* const root = std::exchange(root_, nullptr);
    if (root == nullptr)
        return;
    root->running_ = nullptr;
    if (root->owner_ != nullptr)
        root->owner_->promise_ = nullptr;
    if (!runs_)
        root->itself_.destroy();
}

void RunningTask::cancel() {
    if (!isOnItsThread("RunningTask::cancel()") || std::exchange(cancelled_, true))
        return;
    interest_ = {};
    if (suspension_ == nullptr)
        return;
    cancelNow_ = true;
    alarm().schedule();
}

/// Lets it run until it suspends again. Then this may be gone.
inline void RunningTask::resume(const TaskPromise& root, const TaskPromise& task) {
    task.itself_.resume();
    if (root.running_ != nullptr) [[likely]]
        runs_ = false;
    else if (root.isOver_)
        finish();
    else
        root.itself_.destroy();
}

void RunningTask::begin() {
    const TaskPromise& root = *root_;
    runs_ = true;
    resume(root, root);
}

inline void RunningTask::proceed(const TaskPromise& root, Suspension& waiting, bool isOver) {
    if (root.running_ == nullptr) {
        root.itself_.destroy();
        return;
    }
    if (!isOver) {
        runs_ = false;
        if (missed_) [[unlikely]]
            alarmAgain();
        return;
    }
    stopWaiting();
    resume(root, *std::exchange(waiting.promise_, nullptr));
}

/// Asks the wait whether it is over. Its answer may be the user's code, and end everything; what that throws leaves
/// with the slot, and the task waits on.
template <class Question>
inline bool RunningTask::ask(const TaskPromise& root, Suspension& waiting, const Question& question) {
    try {
        return question(waiting);
    } catch (...) {
        proceed(root, waiting, false);
        throw;
    }
}

void RunningTask::stopOthers() noexcept {
    if (isArriving_) [[unlikely]]
        arriveNow(); // lest the alarm comes when it joins the loop
    others_ = cancelNow_ = sourceGone_ = missed_ = false;
    if (alarm_.isArmed())
        alarm_.disarm();
    if (address_ != nullptr)
        address_->awaited.store(0, std::memory_order_relaxed);
}

/// Something has happened to what it waits for.
void RunningTask::lookAgain() {
    if (runs_) {
        again_ = true;
        return;
    }
    const TaskPromise& root = *root_;
    Suspension& waiting = *suspension_;
    runs_ = true;
    again_ = false;
    const bool isOver = ask(root, waiting, [](Suspension& what) { return what.look(); });
    if (root.running_ != nullptr && !isOver && again_) [[unlikely]]
        lookOn(root, waiting);
    else
        proceed(root, waiting, isOver);
}

/// Something has happened while it looked.
void RunningTask::lookOn(const TaskPromise& root, Suspension& waiting) {
    bool isOver = false;
    do {
        again_ = false;
        isOver = ask(root, waiting, [](Suspension& what) { return what.look(); });
    } while (root.running_ != nullptr && !isOver && again_);
    proceed(root, waiting, isOver);
}

/// The time is over, it was cancelled, or what it waits for is gone.
void RunningTask::interrupt() {
    if (suspension_ == nullptr)
        return;
    missed_ = runs_; // in a loop that runs in its wait
    if (runs_)
        return;
    const std::errc why = std::exchange(sourceGone_, false)  ? std::errc::owner_dead
                          : std::exchange(cancelNow_, false) ? std::errc::operation_canceled
                                                             : std::errc::timed_out;
    const TaskPromise& root = *root_;
    Suspension& waiting = *suspension_;
    runs_ = true;
    const bool isOver =
        ask(root, waiting, [why](Suspension& what) { return what.interrupted(std::make_error_code(why)); });
    // What has come first may have come in the turn in which the time was over, too.
    if (!isOver && root.running_ != nullptr && why != std::errc::timed_out && !waiting.until_.isForEver() &&
        !alarm_.isArmed())
        alarm().arm(waiting.until_.when());
    proceed(root, waiting, isOver);
}

/// The alarm came when it could not be heard.
void RunningTask::alarmAgain() {
    missed_ = false;
    alarm().schedule();
}

void RunningTask::finish() {
    const Pointer<RunningTask> self(this);
    TaskPromise& root = *std::exchange(root_, nullptr);
    runs_ = false;
    if (root.owner_ == nullptr)
        root.itself_.destroy();
    if (self)
        finished();
    if (self)
        delete this;
}

// --- what it listens to ---

Watch::Watch(Object& source, RunningTask& task) : source_(&source), task_(task) {
    source.destroyed.connect(&task, [this] { task_.forget(*this); });
}

Watch::~Watch() = default;

/// The last one used comes first.
Watch* RunningTask::findWatch(const Object& source) noexcept {
    std::unique_ptr<Watch>* place = &watches_;
    while (*place != nullptr && (*place)->source_ != &source)
        place = &(*place)->next_;
    if (*place != nullptr && place != &watches_) {
        std::unique_ptr<Watch> found = std::move(*place);
        *place = std::move(found->next_);
        return &addWatch(std::move(found));
    }
    return place->get();
}

Watch& RunningTask::addWatch(std::unique_ptr<Watch> watch) {
    watch->next_ = std::move(watches_);
    watches_ = std::move(watch);
    return *watches_;
}

/// Its object dies.
void RunningTask::forget(Watch& watch) {
    if (listensTo_ == &watch)
        suspension_->gone();
    interest_ = {};
    std::unique_ptr<Watch>* place = &watches_;
    while (place->get() != &watch)
        place = &(*place)->next_;
    const std::unique_ptr<Watch> forgotten = std::move(*place);
    *place = std::move(forgotten->next_);
}

// --- signals that die ---

/// The signal that it waits for died on some thread.
struct RunningTask::SignalGone final : Event {
    static inline const int type = registerType();
    explicit SignalGone(std::uint64_t number) noexcept : Event(type), await(number) {}
    std::uint64_t await;
};

void RunningTask::customEvent(Event& event) {
    if (event.type() != SignalGone::type || address_ == nullptr ||
        static_cast<SignalGone&>(event).await != address_->awaited.load(std::memory_order_relaxed))
        return;
    sourceGone_ = others_ = true;
    interrupt();
}

SignalEnd::SignalEnd(RunningTask& task) : await_(++task.awaits_) {
    if (task.address_ == nullptr) {
        task.address_ = std::make_shared<RunningTask::Address>();
        task.address_->task = &task;
    }
    address_ = task.address_;
    task.others_ = true;
    address_->awaited.store(await_, std::memory_order_relaxed);
}

SignalEnd::~SignalEnd() {
    if (address_ == nullptr || address_->awaited.load(std::memory_order_relaxed) != await_)
        return;
    const std::lock_guard lock(address_->mutex);
    if (address_->task != nullptr)
        Object::postEvent(address_->task, std::make_unique<RunningTask::SignalGone>(await_));
}

} // namespace halyard
