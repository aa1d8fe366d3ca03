// What is told to an object: by timers, by others, before or after a filter.
#include "object_extra.h"
#include "refuse.h"

#include <halyard/signals/executor.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace halyard {

/// An event on its way, which moves with its receiver.
class Object::PostedEvent final : public Runnable {
  public:
    PostedEvent(Address& address, std::unique_ptr<Event> event) noexcept
        : address_(&address), event_(std::move(event)) {
        address_->keep();
    }
    PostedEvent(const PostedEvent&) = delete;
    PostedEvent& operator=(const PostedEvent&) = delete;
    ~PostedEvent() override { address_->release(); }

    void run() override {
        if (Object* const receiver = address_->object)
            receiver->deliver(*event_);
    }
    const Tracked* receiver() const noexcept override { return address_->object; }

  private:
    Address* address_;
    std::unique_ptr<Event> event_;
};

Object::Address& Object::address() {
    Address* known = address_.load(std::memory_order_acquire);
    if (known == nullptr) {
        auto made = std::make_unique<Address>(*this);
        if (address_.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel, std::memory_order_acquire))
            known = made.release();
    }
    return *known;
}

bool Object::postEvent(Object* receiver, std::unique_ptr<Event> event) {
    if (receiver == nullptr || event == nullptr)
        return refuse(receiver == nullptr ? "Object::postEvent(): there is no receiver"
                                          : "Object::postEvent(): there is no event");
    receiver->post(std::make_unique<PostedEvent>(receiver->address(), std::move(event)));
    return true;
}

bool Object::sendEvent(Object* receiver, Event& event) {
    if (receiver == nullptr)
        return refuse("Object::sendEvent(): there is no receiver");
    return receiver->isOnItsThread("Object::sendEvent()") && receiver->deliver(event);
}

bool Object::deliver(Event& event) {
    if (extra_ != nullptr && !extra_->filters.empty() && isFiltered(event))
        return true;
    return this->event(event);
}

/// Whether a filter took the event, or the object is gone.
bool Object::isFiltered(Event& event) {
    struct Round {
        explicit Round(Object& object) : watched(&object) { ++object.extra_->filtering; }
        Round(const Round&) = delete;
        Round& operator=(const Round&) = delete;
        ~Round() {
            if (watched && --watched->extra_->filtering == 0)
                std::erase(watched->extra_->filters, nullptr);
        }
        Pointer<Object> watched;
    } round(*this);
    for (std::size_t i = extra_->filters.size(); i-- != 0;) {
        Object* const filter = extra_->filters[i].get();
        if (filter == nullptr)
            continue;
        const Round its(*filter);
        const bool taken = filter->eventFilter(this, event);
        if (taken || !round.watched)
            return true;
    }
    return false;
}

void Object::installEventFilter(Object* filter) {
    if (filter == nullptr || &filter->affinity() != &affinity()) {
        refuse(filter == nullptr ? "Object::installEventFilter(): there is no filter"
                                 : "Object::installEventFilter(): the filter lives on another thread");
        return;
    }
    removeEventFilter(filter);
    filter->extra().watched.emplace_back(this);
    extra().filters.emplace_back(filter);
}

void Object::removeEventFilter(Object* filter) noexcept {
    if (extra_ == nullptr)
        return;
    const auto place = std::find(extra_->filters.begin(), extra_->filters.end(), filter);
    if (filter == nullptr || place == extra_->filters.end())
        return;
    std::erase_if(filter->extra_->watched, [this](const Pointer<Object>& each) { return !each || each == this; });
    *place = nullptr;
    if (extra_->filtering == 0) // else an outer one still counts the places
        std::erase(extra_->filters, nullptr);
}

/// Those that filter for each other live on one thread: it and `root`, which moves with all below it, go.
void Object::partFromFilters(const Object& root) noexcept {
    if (extra_ == nullptr)
        return;
    const auto stays = [&root](const Object* each) {
        while (each != nullptr && each != &root)
            each = each->parent_;
        return each == nullptr;
    };
    for (std::size_t i = extra_->filters.size(); i-- != 0;)
        if (i < extra_->filters.size() && extra_->filters[i] && stays(extra_->filters[i].get()))
            removeEventFilter(extra_->filters[i].get());
    for (std::size_t i = extra_->watched.size(); i-- != 0;)
        if (i < extra_->watched.size() && extra_->watched[i] && stays(extra_->watched[i].get()))
            extra_->watched[i]->removeEventFilter(this);
}

bool Object::event(Event& event) {
    switch (event.type()) {
    case Event::Timer:
        timerEvent(static_cast<TimerEvent&>(event));
        return true;
    case Event::ChildAdded:
    case Event::ChildRemoved:
        childEvent(static_cast<ChildEvent&>(event));
        return true;
    default:
        if (event.type() < Event::User)
            return false;
        customEvent(event);
        return true;
    }
}

bool Object::eventFilter(Object*, Event&) { return false; }
void Object::timerEvent(TimerEvent&) {}
void Object::childEvent(ChildEvent&) {}
void Object::customEvent(Event&) {}

// --- timers ---

int Object::startTimer(std::chrono::milliseconds interval) {
    static std::atomic<std::uint32_t> last = 0;
    if (interval.count() < 0)
        return refuse("Object::startTimer(): an interval cannot be negative");
    if (!isOnItsThread("Object::startTimer()") || dying_)
        return 0;
    int id = 0;
    while (id == 0)
        id = static_cast<int>((last.fetch_add(1, std::memory_order_relaxed) + 1) & 0x7fffffffU);
    extra().timers.emplace_back(std::make_unique<IdTimer>(*this, id, interval))->start();
    return id;
}

void Object::killTimer(int id) {
    if (!isOnItsThread("Object::killTimer()"))
        return;
    if (extra_ == nullptr || std::erase_if(extra_->timers, [id](const auto& each) { return each->id() == id; }) == 0)
        refuse("Object::killTimer(): the object has no such timer");
}

void Object::IdTimer::dispatch() {
    // Found again by its number: a handler may have killed it, or deleted the object.
    struct AfterHandler {
        Pointer<Object> object;
        int id;
        Clock::time_point due;
        ~AfterHandler() {
            if (!object)
                return;
            --object->extra_->timing;
            for (const auto& each : object->extra_->timers)
                if (each->id() == id && !each->isArmed())
                    each->arm(repeat(due, each->interval_));
        }
    };
    const AfterHandler whicheverWayItEnds{&owner_, id_, when()};
    ++owner_.extra_->timing;
    TimerEvent event(id_);
    owner_.deliver(event);
}

} // namespace halyard
