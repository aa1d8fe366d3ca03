// From one thread to another.
#include "dispatcher.h"
#include "object_extra.h"
#include "refuse.h"

#include <halyard/core/thread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace halyard {

/// Runs on the new thread before anything that is queued for the objects: what they have in a loop joins that one.
class Object::Arrival final : public Runnable {
  public:
    Arrival() = default;
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;
    ~Arrival() override {
        for (const Guest& each : guests_)
            each.address->release();
    }

    void add(Object& object) {
        Address& its = object.address();
        guests_.push_back({&its, 0});
        its.keep();
    }
    /// They leave this thread's loop, all that there are.
    void depart(const Object& root) noexcept {
        for (Guest& each : guests_) {
            Object& object = *each.address->object;
            each.move = each.address->moves.fetch_add(1, std::memory_order_relaxed) + 1;
            object.leaveThread();
            object.partFromFilters(root);
        }
        for (const Guest& each : guests_)
            each.address->object.load()->isArriving_ = true; // only now: while they leave, they may look at each other
    }
    /// It has no receiver: it stays on the thread that it came to, for those that have not moved on.
    void run() override {
        { const detail::Section theMoveIsOver(detail::Affinity::current()); } // moveTo() has stopped the world
        for (const Guest& each : guests_) {
            if (each.address->moves.load(std::memory_order_relaxed) != each.move)
                continue; // it has moved on, and may be another thread's
            Object* const object = each.address->object;
            if (object == nullptr)
                continue;
            object->enterThread();
            if (std::exchange(object->bringsDeletion_, false)) {
                // What was queued for it comes first, and may have come after this turn began.
                Dispatcher::current().takePosted();
                object->deleteLater();
            }
        }
    }

  private:
    struct Guest {
        Address* address;
        std::uint32_t move; ///< which of its moves it was
    };
    std::vector<Guest> guests_;
};

bool Object::moveToThread(Thread* thread) {
    detail::Affinity* const there = thread != nullptr ? thread->affinityNow() : nullptr;
    const char* const refusal = thread == nullptr    ? "there is no thread"
                                : there == nullptr   ? "the thread does not run"
                                : !livesHere()       ? "only its own thread can give the object away"
                                : parent_ != nullptr ? "the object has a parent, with which it lives"
                                : dying_             ? "the object is being destroyed"
                                : isBusy()           ? "a slot or handler runs that the object called: post the move"
                                                     : nullptr;
    if (refusal != nullptr)
        return refuse(std::string("Object::moveToThread(): ").append(refusal));
    if (there == &affinity())
        return true;
    std::vector<Tracked*> all;
    auto arrival = std::make_unique<Arrival>();
    collect(all, *arrival);
    arrival->depart(*this); // which cannot fail: none has left before all the memory is there
    // Once they have moved they are the other thread's, and may be gone.
    std::unique_ptr<Runnable> refused = moveTo(*there, all, std::move(arrival));
    if (refused == nullptr)
        return true;
    refused->run(); // which brings them back into this loop
    return refuse("Object::moveToThread(): the thread is ending");
}

/// Whether something of it or below it is on the stack, and will look at it when it comes back.
bool Object::isBusy() const {
    if (isEmitting() || (extra_ != nullptr && extra_->filtering + extra_->timing != 0))
        return true;
    const std::span<Object* const> below = children();
    return std::any_of(below.begin(), below.end(), [](const Object* each) { return each->isBusy(); });
}

/// It, and what is below it.
void Object::collect(std::vector<Tracked*>& all, Arrival& arrival) {
    all.push_back(this);
    arrival.add(*this);
    for (Object* const each : children())
        each->collect(all, arrival);
}

/// What it has in this thread's loop leaves that.
void Object::leaveThread() {
    if (isArriving_)
        return; // it has not even joined it
    if (extra_ != nullptr)
        for (const auto& each : extra_->timers)
            each->leaveLoop();
    leavingThread();
}

/// It joins the loop of the thread that it has come to.
void Object::enterThread() {
    if (!std::exchange(isArriving_, false))
        return;
    if (extra_ != nullptr)
        for (const auto& each : extra_->timers)
            each->joinLoop();
    enteredThread();
}

/// It is used here before its Arrival has run.
void Object::arriveNow() const {
    { const detail::Section theMoveIsOver(detail::Affinity::current()); } // moveTo() has stopped the world
    const_cast<Object*>(this)->enterThread();
}

void Object::leavingThread() {}
void Object::enteredThread() {}

} // namespace halyard
