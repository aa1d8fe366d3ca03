// The two halves of a move to another thread, each on its own thread, there and back.
#include <halyard/core/fd_notifier.h>
#include <halyard/core/object.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>

#include "pipe.h"

#include <doctest/doctest.h>
#include <pump.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <memory>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// Opens what only a move may call.
template <class Base>
struct Movable : Base {
    using Base::Base;
    using Base::enteredThread;
    using Base::leavingThread;
    using Base::setExecutor;
};

void onThread(Thread& thread, const std::function<void()>& what) {
    std::promise<void> done;
    thread.eventLoop()->post([&] {
        what();
        done.set_value();
    });
    done.get_future().wait();
}

/// Takes the object to another thread for the time of `there`, and back.
template <class Movable>
void visit(Movable& object, const std::function<void()>& there) {
    Thread thread;
    thread.start();
    Executor* const home = Executor::current();
    object.leavingThread();
    onThread(thread, [&] {
        object.setExecutor(Executor::current());
        object.enteredThread();
        there();
        object.leavingThread();
        object.setExecutor(home);
    });
    object.enteredThread();
}

} // namespace

TEST_CASE("a timer that moves keeps its time, and goes off where it lives") {
    Movable<Timer> timer;
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
    SUBCASE("moves in its own slot") {
        int fired = 0;
        timer.timeout.connect([&] {
            if (++fired == 1)
                visit(timer, [&] { CHECK(pumpUntil([&] { return fired == 2; })); });
        });
        timer.start(1ms);
        CHECK(pumpUntil([&] { return fired == 3; }));
    }
    SUBCASE("is not active") {
        visit(timer, [&] { pumpIdle(); });
        CHECK(where == nullptr);
    }
}

TEST_CASE("a notifier that moves watches where it lives") {
    const Pipe pipe;
    Movable<FdNotifier> notifier(pipe.reader(), FdNotifier::Read);
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
    Movable<UnixSignal> signal(SIGUSR2);
    Thread* where = nullptr;
    signal.received.connect([&](int) { where = Thread::current(); });
    visit(signal, [&] {
        CHECK(signal.isValid());
        ::raise(SIGUSR2);
        CHECK(pumpUntil([&] { return where == Thread::current(); }));
    });
    ::raise(SIGUSR2);
    CHECK(pumpUntil([&] { return where == Thread::current(); }));
    signal.leavingThread();
    ::raise(SIGUSR2); // would end this program
    signal.enteredThread();
    CHECK(signal.isValid());
    pumpIdle();
}
