// Loops, timers and events.
#include "scenario.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace {

using namespace compare;

// --- events ---

class Telling : public Listener {
  public:
    using Listener::Listener;

  private:
    void timer(int) override { Trace{"timer"}; }
    void child(bool added) override { Trace{added ? "child added" : "child removed"}; }
    void custom(int number) override { Trace{"event", number}; }
};

class Filter : public Listener {
  public:
    Filter(const char* name, bool takes) : name_(name), takes_(takes) {}

  private:
    bool filters(Object*, int number) override {
        Trace{name_, number};
        return takes_;
    }
    const char* name_;
    bool takes_;
};

const Scenario children("events_of_children", [] {
    Telling parent;
    Object child(&parent);
    Trace{"reparent"};
    child.setParent(nullptr);
    child.setParent(&parent);
    { Object second(&parent); }
    settle();
});

const Scenario posted("posted_events", [] {
    Telling object;
    postEvent(object, 1);
    postEvent(object, 2);
    Trace{"sent", sendEvent(object, 3)};
    {
        Telling dead;
        postEvent(dead, 4);
    }
    settle();
});

const Scenario filters("event_filters", [] {
    Telling object;
    Filter first("first", false);
    Filter second("second", false);
    object.installEventFilter(&first);
    object.installEventFilter(&second);
    sendEvent(object, 1);
    object.installEventFilter(&first);
    sendEvent(object, 2);
    object.removeEventFilter(&first);
    sendEvent(object, 3);
    {
        Filter last("last", true);
        object.installEventFilter(&last);
        Trace{"sent", sendEvent(object, 4)};
    }
    sendEvent(object, 5);
});

const Scenario properties("properties", [] {
    Object object;
    Trace{"new", setProperty(object, "answer", 42)};
    Trace{"value", property(object, "answer")};
    Trace{"other", property(object, "question")};
    Trace{"names", object.dynamicPropertyNames().size()};
});

// --- loops ---

const Scenario exits("exit_codes", [] {
    Object context;
    Loop loop;
    loop.exit(7);
    postTo(context, [&] {
        Trace{"runs"};
        loop.exit(1);
        loop.exit(2);
    });
    Trace{"exec", loop.exec()};
    postTo(context, [&] { loop.exit(3); });
    Trace{"again", loop.exec()};
});

const Scenario postedInHandler("post_in_what_was_posted", [] {
    Object context;
    int runs = 0;
    std::function<void()> again = [&] {
        ++runs;
        postTo(context, again);
    };
    postTo(context, again);
    turn(0ms);
    Trace{"in one turn", runs};
});

const Scenario execInSlot("exec_of_the_same_loop_in_a_slot", [] {
    Object context;
    Loop loop;
    postTo(context, [&] {
        postTo(context, [&] { loop.exit(1); });
        Trace{"inner", loop.exec()};
        postTo(context, [&] { loop.exit(2); });
    });
    Trace{"outer", loop.exec()};
});

// --- timers ---

const Scenario fresh("fresh_timer", [] {
    Timer timer;
    Trace{"active",      timer.isActive(),
          "single shot", timer.isSingleShot(),
          "interval",    milliseconds(timer.interval()),
          "remaining",   milliseconds(timer.remainingTime())};
});

const Scenario single("single_shot_timer", [] {
    Timer timer;
    timer.setSingleShot(true);
    Object::connect(&timer, &Timer::timeout, &timer, [&] {
        Trace{"active", timer.isActive(), "remaining", milliseconds(timer.remainingTime())};
    });
    timer.start(1ms);
    settle();
});

const Scenario dueTogether("timers_that_are_due_together", [] {
    Timer later;
    Timer sooner;
    Object context;
    Object::connect(&later, &Timer::timeout, &context, [] { Trace{"later"}; });
    Object::connect(&sooner, &Timer::timeout, &context, [] { Trace{"sooner"}; });
    later.setSingleShot(true);
    sooner.setSingleShot(true);
    preciseStart(later, 10ms);
    preciseStart(sooner, 5ms);
    std::this_thread::sleep_for(20ms);
    settle();
});

const Scenario zeroTimers("timers_of_no_time", [] {
    Object context;
    for (const char* const name : {"one", "two", "three"})
        Timer::singleShot(0ms, &context, [name] { Trace{name}; });
    postTo(context, [] { Trace{"posted"}; });
    settle();
});

const Scenario late("timer_that_is_late", [] {
    Timer timer;
    int count = 0;
    Object::connect(&timer, &Timer::timeout, &timer, [&] { ++count; });
    preciseStart(timer, 20ms);
    std::this_thread::sleep_for(130ms);
    turn(0ms);
    Trace{"times", count};
});

const Scenario stopped("stop_a_timer_that_is_due", [] {
    Timer first;
    Timer second;
    Object::connect(&first, &Timer::timeout, &first, [&] {
        Trace{"first"};
        first.stop();
        second.stop();
    });
    Object::connect(&second, &Timer::timeout, &second, [] { Trace{"second"}; });
    preciseStart(first, 5ms);
    preciseStart(second, 5ms);
    std::this_thread::sleep_for(20ms);
    settle();
});

const Scenario deleted("delete_a_timer_in_its_slot", [] {
    auto* const timer = new Timer;
    Object::connect(timer, &Timer::timeout, timer, [timer] {
        Trace{"timeout"};
        delete timer;
    });
    timer->start(1ms);
    settle();
});

const Scenario nested("nested_loop_in_a_timer", [] {
    Timer timer;
    int depth = 0;
    int most = 0;
    Object::connect(&timer, &Timer::timeout, &timer, [&] {
        most = std::max(most, ++depth);
        if (depth == 1 && most == 1)
            settle();
        --depth;
    });
    timer.start(1ms);
    settle();
    Trace{"depth", most};
});

const Scenario negative("timer_of_a_negative_time", [] {
    Timer timer;
    Object::connect(&timer, &Timer::timeout, &timer, [] { Trace{"timeout"}; });
    timer.start(-1ms);
    Trace{"active", timer.isActive()};
    settle();
});

const Scenario byNumber("timers_by_number", [] {
    Telling object;
    const int first = object.startTimer(1ms);
    const int second = object.startTimer(1ms);
    Trace{"different", first != second};
    object.killTimer(first);
    object.killTimer(second);
    settle();
    Trace{"negative", object.startTimer(-1ms) > 0};
});

/// Tells which of its timers goes off, and ends that.
class Clock : public Listener {
  public:
    void starts(std::chrono::milliseconds interval) { ids_.push_back(startTimer(interval)); }

  private:
    void timer(int id) override {
        Trace{"timer", std::find(ids_.begin(), ids_.end(), id) - ids_.begin()};
        killTimer(id);
    }
    std::vector<int> ids_;
};

const Scenario byNumberInOrder("timers_by_number_in_order", [] {
    Clock clock;
    for (const auto interval : {8ms, 4ms, 4ms, 1ms})
        clock.starts(interval);
    std::this_thread::sleep_for(30ms);
    settle();
});

const Scenario deadContext("single_shot_and_a_dead_context", [] {
    {
        Object context;
        Timer::singleShot(1ms, &context, [] { Trace{"timeout"}; });
    }
    settle();
});

} // namespace
