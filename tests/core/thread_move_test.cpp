// To another thread, and back.
#include <halyard/core/event.h>
#include <halyard/core/fd_notifier.h>
#include <halyard/core/object.h>
#include <halyard/core/signal_wait.h>
#include <halyard/core/task.h>
#include <halyard/core/task_group.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>

#include "pipe.h"

#include <doctest/doctest.h>
#include <logged.h>
#include <pump.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

void onThread(Thread& thread, const std::function<void()>& what) {
    std::promise<void> done;
    thread.eventLoop()->post([&] {
        what();
        done.set_value();
    });
    done.get_future().wait();
}

/// Takes the object to another thread for the time of `there`, and back.
void visit(Object& object, const std::function<void()>& there) {
    Thread thread;
    thread.start();
    Thread* const home = Thread::current();
    REQUIRE(object.moveToThread(&thread));
    CHECK_FALSE(object.livesHere());
    CHECK(object.thread() == &thread);
    onThread(thread, [&] {
        CHECK(object.livesHere());
        there();
        CHECK(object.moveToThread(home));
    });
    CHECK(object.livesHere());
    pumpIdle(2); // it joins the loop here in the next turn
}

} // namespace

TEST_CASE("a timer that moves keeps its time, and goes off where it lives") {
    Timer timer;
    Thread* where = nullptr;
    timer.timeout.connect([&] { where = Thread::current(); });
    SUBCASE("the time") {
        timer.start(1h);
        visit(timer, [&] {
            CHECK(timer.isActive());
            CHECK(timer.remainingTime() > 59min);
        });
        CHECK(timer.remainingTime() > 59min);
    }
    SUBCASE("goes off there") {
        timer.start(1ms);
        Thread* there = nullptr;
        visit(timer, [&] {
            there = Thread::current();
            CHECK(pumpUntil([&] { return where != nullptr; }));
            CHECK(where == there);
            where = nullptr;
        });
        CHECK(pumpUntil([&] { return where != nullptr; }));
        CHECK(where == Thread::current());
    }
    SUBCASE("is due when it moves") {
        timer.setSingleShot(true);
        timer.start(0ms);
        visit(timer, [&] {
            CHECK(pumpUntil([&] { return where != nullptr; }));
            CHECK_FALSE(timer.isActive());
        });
        where = nullptr;
        pumpIdle();
        CHECK(where == nullptr);
    }
    SUBCASE("is not active") {
        visit(timer, [&] { pumpIdle(); });
        CHECK(where == nullptr);
    }
}

TEST_CASE("a notifier that moves watches where it lives") {
    const Pipe pipe;
    FdNotifier notifier(pipe.reader(), FdNotifier::Read);
    Thread* where = nullptr;
    notifier.activated.connect([&](int) {
        pipe.drain();
        where = Thread::current();
    });
    CHECK(pipe.put("x"));
    visit(notifier, [&] {
        CHECK(notifier.isEnabled());
        CHECK(pumpUntil([&] { return where == Thread::current(); }));
    });
    CHECK(pipe.put("x"));
    CHECK(pumpUntil([&] { return where == Thread::current(); }));
    notifier.setEnabled(false);
    where = nullptr;
    visit(notifier, [&] {
        CHECK(pipe.put("x"));
        pumpIdle();
    });
    CHECK(where == nullptr);
}

TEST_CASE("a Unix signal that moves is told where it lives, and never does what it does by default") {
    UnixSignal signal(SIGUSR2);
    Thread* where = nullptr;
    signal.received.connect([&](int) { where = Thread::current(); });
    Thread* const home = Thread::current();
    visit(signal, [&] {
        CHECK(signal.isValid());
        ::raise(SIGUSR2);
        CHECK(pumpUntil([&] { return where == Thread::current(); }));
    });
    ::raise(SIGUSR2);
    CHECK(pumpUntil([&] { return where == Thread::current(); }));
    Thread other;
    other.start();
    REQUIRE(signal.moveToThread(&other));
    ::raise(SIGUSR2); // would end this program
    onThread(other, [&] {
        CHECK(signal.isValid());
        CHECK(signal.moveToThread(home));
    });
    pumpIdle();
    CHECK(signal.isValid());
}

TEST_CASE("a Unix signal that moves may die before it arrives, and after the thread that it comes from") {
    Thread* const home = Thread::current();
    Thread thread;
    thread.start();
    UnixSignal* signal = nullptr;
    onThread(thread, [&] {
        signal = new UnixSignal(SIGUSR2);
        CHECK(signal->moveToThread(home));
    });
    SUBCASE("before") {
        delete signal;
        onThread(thread, [] {});
    }
    SUBCASE("after") {
        thread.quit();
        thread.wait();
        delete signal;
    }
    pumpIdle();
    struct sigaction now {};
    ::sigaction(SIGUSR2, nullptr, &now);
    CHECK((now.sa_handler == SIG_DFL));
}

TEST_CASE("what is posted and queued for an object goes with it, in order, and so does its deletion") {
    struct Receiver : Object {
        void customEvent(Event& event) override { seen->push_back(static_cast<int>(event.type()) - Event::User); }
        void hear(int n) { seen->push_back(n); }
        std::vector<int>* seen = nullptr;
    };
    std::vector<int> seen;
    Signal<int> changed;
    auto* const receiver = new Receiver;
    Object* const child = new Object(receiver);
    receiver->seen = &seen;
    changed.connect(receiver, &Receiver::hear, ConnectionType::Queued);
    Thread thread;
    thread.start();
    for (int i = 0; i != 20; i += 2) {
        changed(i);
        Object::postEvent(receiver, std::make_unique<Event>(static_cast<Event::Type>(Event::User + i + 1)));
    }
    receiver->deleteLater();
    std::promise<Thread*> gone; // with the child's thread, which only that one may ask now
    receiver->destroyed.connect([&](Object*) { gone.set_value(child->thread()); });
    REQUIRE(receiver->moveToThread(&thread));
    auto childsThread = gone.get_future();
    REQUIRE(childsThread.wait_for(patience()) == std::future_status::ready);
    CHECK(childsThread.get() == &thread);
    thread.quit();
    thread.wait();
    std::vector<int> expected(20);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(seen == expected);
    CHECK(changed.connectionCount() == 0);
}

TEST_CASE("a move that cannot be is refused with a sentence") {
    Logged logged;
    Object parent;
    auto* const child = new Object(&parent);
    Thread thread;
    CHECK_FALSE(parent.moveToThread(nullptr));
    CHECK(logged.linesWith("there is no thread") == 1);
    CHECK_FALSE(parent.moveToThread(&thread));
    CHECK(logged.linesWith("the thread does not run") == 1);
    thread.start();
    CHECK_FALSE(child->moveToThread(&thread));
    CHECK(logged.linesWith("the object has a parent") == 1);
    onThread(thread, [&] { CHECK_FALSE(parent.moveToThread(&thread)); });
    CHECK(logged.linesWith("only its own thread") == 1);
    Timer timer;
    bool moved = true;
    timer.timeout.connect(&timer, [&] { moved = timer.moveToThread(&thread); });
    timer.start(0ms);
    CHECK(pumpUntil([&] { return !moved; }));
    timer.stop();
    CHECK(logged.linesWith("a slot or handler runs that the object called") >= 1);
    struct Ticking : Object {
        explicit Ticking(Thread& its) : there(its) { startTimer(0ms); }
        void timerEvent(TimerEvent& event) override {
            refused = !moveToThread(&there);
            killTimer(event.timerId());
        }
        Thread& there;
        bool refused = false;
    } ticking(thread);
    CHECK(pumpUntil([&] { return ticking.refused; }));
    CHECK(logged.linesWith("a slot or handler runs that the object called") == 1);
    CHECK(parent.moveToThread(Thread::current()));
    CHECK(parent.livesHere());
}

// --- what runs on the new thread meanwhile ---

TEST_CASE("an object that has moved is the new thread's at once, whatever runs there") {
    Thread thread;
    thread.start();
    auto* const timer = new Timer;
    timer->setSingleShot(true);
    std::atomic<Thread*> where = nullptr;
    timer->timeout.connect([&] { where = Thread::current(); });
    std::promise<void> moved;
    std::promise<void> begun;
    thread.eventLoop()->post([&] {
        moved.get_future().wait();
        timer->start(1ms);
        begun.set_value();
    });
    REQUIRE(timer->moveToThread(&thread));
    moved.set_value();
    begun.get_future().wait();
    CHECK(pumpUntilElsewhere([&] { return where != nullptr; }));
    CHECK(where == &thread);
    onThread(thread, [&] { delete timer; });
}

TEST_CASE("an object that is to be deleted may move twice before it arrives") {
    Thread first;
    Thread second;
    first.start();
    second.start();
    std::atomic<int> gone = 0;
    std::atomic<Thread*> where = nullptr;
    auto* const object = new Object;
    object->destroyed.connect([&] {
        where = Thread::current();
        ++gone;
    });
    std::promise<void> moved;
    SUBCASE("on") {
        first.eventLoop()->post([&] {
            moved.get_future().wait();
            CHECK(object->moveToThread(&second));
        });
    }
    SUBCASE("and be asked again in between") {
        first.eventLoop()->post([&] {
            moved.get_future().wait();
            object->deleteLater();
            CHECK(object->moveToThread(&second));
        });
    }
    object->deleteLater();
    REQUIRE(object->moveToThread(&first));
    moved.set_value();
    CHECK(pumpUntilElsewhere([&] { return gone != 0; }));
    for (Thread* const each : {&first, &second}) {
        each->quit();
        each->wait();
    }
    CHECK(gone == 1);
    CHECK(where == &second);
}

TEST_CASE("a child that leaves its parent before both have arrived goes off where it is") {
    Thread first;
    Thread second;
    first.start();
    second.start();
    auto* const parent = new Object;
    auto* const timer = new Timer(parent);
    std::atomic<Thread*> where = nullptr;
    timer->setSingleShot(true);
    timer->timeout.connect([&] { where = Thread::current(); });
    timer->start(1ms);
    std::promise<void> moved;
    std::promise<void> settled;
    Thread* timersThread = &second;
    SUBCASE("the child moves on") {}
    SUBCASE("the parent does") { timersThread = &first; }
    first.eventLoop()->post([&] {
        moved.get_future().wait();
        timer->setParent(nullptr);
        CHECK((timersThread == &second ? timer : parent)->moveToThread(&second));
    });
    second.eventLoop()->post([&] { settled.get_future().wait(); });
    REQUIRE(parent->moveToThread(&first));
    moved.set_value();
    onThread(first, [] {}); // who is there has arrived
    settled.set_value();
    CHECK(pumpUntilElsewhere([&] { return where != nullptr; }));
    CHECK(where == timersThread);
    onThread(*timersThread, [&] { delete timer; });
    onThread(timersThread == &second ? first : second, [&] { delete parent; });
}

TEST_CASE("a task that goes on before it has arrived on its new thread is not told of the time that it had before") {
    Thread thread;
    thread.start();
    auto* const context = new Object;
    Signal<> waited;
    std::vector<bool> values;
    const auto waits = [](Signal<>& signal, std::vector<bool>& where) -> Task<> {
        where.push_back((co_await emitted(signal, 1ms)).hasValue());
        where.push_back((co_await emitted(signal)).hasValue());
        where.push_back((co_await sleepFor(1ms)).hasValue());
    };
    Task<> task = waits(waited, values);
    REQUIRE(task.start(context));
    std::promise<void> moved;
    thread.eventLoop()->post([&] {
        moved.get_future().wait();
        waited();
    });
    REQUIRE(context->moveToThread(&thread));
    moved.set_value();
    std::this_thread::sleep_for(10ms); // longer than the time that it had
    onThread(thread, [&] {
        pumpIdle();
        CHECK(values == std::vector{true});
        waited();
        CHECK(pumpUntil([&] { return task.isDone(); }));
        CHECK(values == std::vector{true, true, true});
        delete context;
    });
}

TEST_CASE("a task that is cancelled, or loses what it waits for, hears of it though it moves before") {
    Thread thread;
    thread.start();
    auto* const context = new Object;
    auto* const other = new Object;
    std::atomic<int> error = 0;
    const auto sleeps = [](std::atomic<int>& why) -> Task<> { why = (co_await sleepFor(1h)).error().value(); };
    const auto joins = [](Task<>& task, std::atomic<int>& why) -> Task<> {
        why = (co_await joined(task, 1h)).error().value();
    };
    std::errc expected{};
    std::atomic<int> nobodys = 0;
    Task<> awaited = sleeps(nobodys);
    SUBCASE("cancelled") {
        Task<> task = sleeps(error);
        REQUIRE(task.start(context));
        task.cancel();
        expected = std::errc::operation_canceled;
        REQUIRE(context->moveToThread(&thread));
        CHECK(pumpUntilElsewhere([&] { return error != 0; }));
        onThread(thread, [&] { delete context; });
    }
    SUBCASE("loses it") {
        REQUIRE(awaited.start(other));
        Task<> task = joins(awaited, error);
        REQUIRE(task.start(context));
        delete other->children().front();
        expected = std::errc::owner_dead;
        REQUIRE(context->moveToThread(&thread));
        CHECK(pumpUntilElsewhere([&] { return error != 0; }));
        onThread(thread, [&] { delete context; });
    }
    CHECK(error == static_cast<int>(expected));
    delete other;
}

TEST_CASE("an object that another thread asks to be deleted while it moves is deleted where it has gone") {
    struct Leaving : Object {
        using Object::Object;
        void leavingThread() override {
            if (parent() != nullptr)
                std::thread([this] { parent()->deleteLater(); }).join();
            else if (asksForItself)
                std::thread([this] { deleteLater(); }).join();
        }
        bool asksForItself = false;
    };
    Thread thread;
    thread.start();
    auto* const object = new Leaving;
    SUBCASE("itself") { object->asksForItself = true; }
    SUBCASE("when its child leaves") { new Leaving(object); }
    std::promise<Thread*> gone;
    object->destroyed.connect([&] { gone.set_value(Thread::current()); });
    std::promise<void> asked;
    thread.eventLoop()->post([&] { asked.get_future().wait(); }); // it does not arrive before the turn below
    REQUIRE(object->moveToThread(&thread));
    pumpIdle();
    asked.set_value();
    auto where = gone.get_future();
    REQUIRE(where.wait_for(patience()) == std::future_status::ready);
    CHECK(where.get() == &thread);
}

TEST_CASE("an object that another thread asks to be deleted whenever it moves is deleted once") {
    Thread thread;
    thread.start();
    for (int round = 0; round != 200; ++round) {
        auto* const object = new Object;
        new Object(object);
        std::atomic<int> gone = 0;
        object->destroyed.connect([&] { ++gone; });
        std::atomic<bool> begun = false;
        std::thread other([&] {
            begun = true;
            object->deleteLater();
        });
        while (!begun)
            std::this_thread::yield();
        object->moveToThread(&thread);
        other.join();
        CHECK(pumpUntilElsewhere([&] { return gone != 0; }));
        onThread(thread, [] { pumpIdle(2); });
        CHECK(gone == 1);
    }
}

TEST_CASE("a queued slot that moves its receiver to the signal's thread keeps what it has captured") {
    Thread thread;
    thread.start();
    Thread* const home = Thread::current();
    auto* const receiver = new Object;
    REQUIRE(receiver->moveToThread(&thread));
    Signal<> back;
    auto captured = std::make_shared<int>(7);
    const std::weak_ptr<int> watched = captured;
    std::promise<void> moved;
    std::promise<bool> kept;
    std::promise<void> over;
    auto turned = over.get_future();
    back.connect(
        receiver,
        [&, receiver, home, held = std::move(captured)] {
            CHECK(receiver->moveToThread(home));
            moved.set_value();
            turned.wait();
            kept.set_value(!watched.expired());
        },
        ConnectionType::Queued | ConnectionType::SingleShot);
    back();
    moved.get_future().wait();
    pumpIdle();
    over.set_value();
    CHECK(kept.get_future().get());
    onThread(thread, [] {});
    CHECK(watched.expired());
    delete receiver;
}

TEST_CASE("whoever filters for another one does so until one of them moves without the other") {
    struct Filter : Object {
        using Object::Object;
        bool eventFilter(Object*, Event&) override {
            ++seen;
            return false;
        }
        std::atomic<int> seen = 0;
    };
    Thread thread;
    thread.start();
    for (const bool filterMoves : {false, true}) {
        CAPTURE(filterMoves);
        auto* const watched = new Object;
        auto* const inside = new Filter(watched); // which moves along where the watched one moves
        auto* const outside = new Filter;
        watched->installEventFilter(inside);
        watched->installEventFilter(outside);
        Event event(Event::User);
        Object::sendEvent(watched, event);
        CHECK(outside->seen == 1);
        CHECK(inside->seen == 1);
        REQUIRE((filterMoves ? static_cast<Object*>(outside) : watched)->moveToThread(&thread));
        const auto send = [watched] {
            Event another(Event::User);
            Object::sendEvent(watched, another);
        };
        if (filterMoves)
            send();
        else
            onThread(thread, send);
        CHECK(outside->seen == 1);
        CHECK(inside->seen == 2);
        if (filterMoves) {
            delete watched;
            onThread(thread, [outside] { delete outside; });
        } else {
            onThread(thread, [watched] { delete watched; });
            delete outside;
        }
    }
}

TEST_CASE("a filter that looks at an event does not move meanwhile, and may delete itself") {
    struct Filter : Object {
        bool eventFilter(Object*, Event&) override {
            moved = moveToThread(there);
            if (mayDelete)
                delete this;
            return false;
        }
        Thread* there = nullptr;
        bool moved = true;
        bool mayDelete = false;
    };
    Thread thread;
    thread.start();
    const Logged log;
    Object watched;
    auto* const filter = new Filter;
    filter->there = &thread;
    watched.installEventFilter(filter);
    Event event(Event::User);
    Object::sendEvent(&watched, event);
    CHECK_FALSE(filter->moved);
    filter->mayDelete = true;
    Object::sendEvent(&watched, event);
    Object::sendEvent(&watched, event); // which nobody sees
}
