#include <halyard/core/object.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>

#include "fresh_thread.h"

#include <doctest/doctest.h>
#include <pump.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_same_v<decltype(std::declval<Object&>().deleteLater()), void>);

/// An object that writes its letter when it goes.
Object* letter(char c, std::string& gone, Object* parent = nullptr) {
    auto* const object = new Object(parent);
    object->destroyed.connect([c, &gone] { gone += c; });
    return object;
}

} // namespace

TEST_CASE("asked for outside any slot, an object is deleted in the next turn") {
    std::string gone;
    letter('a', gone)->deleteLater();
    CHECK(gone.empty());
    CHECK(EventLoop::current()->processEvents());
    CHECK(gone == "a");
}

TEST_CASE("asked for before exec, an object is deleted by exec") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    letter('a', gone)->deleteLater();
    loop.post([&] { loop.quit(); });
    loop.exec();
    CHECK(gone == "a");
}

TEST_CASE("asked for in a slot, an object is deleted at the end of the turn") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const object = letter('d', gone);
    loop.post([&] {
        object->deleteLater();
        gone += 's';
    });
    loop.post([&] { gone += 'n'; });
    CHECK(loop.processEvents());
    CHECK(gone == "snd");
}

TEST_CASE("asking often is asking once, and deleting by hand is fine") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const object = letter('a', gone);
    object->deleteLater();
    object->deleteLater();
    SUBCASE("left to the loop") { CHECK(loop.processEvents()); }
    SUBCASE("by hand") { delete object; }
    SUBCASE("by hand in a slot of the same turn") {
        loop.post([&] { delete object; });
        loop.processEvents();
    }
    SUBCASE("by its parent") {
        auto parent = std::make_unique<Object>();
        object->setParent(parent.get());
        parent.reset();
    }
    CHECK(gone == "a");
    loop.processEvents();
    CHECK_FALSE(loop.processEvents());
    CHECK(gone == "a");
}

TEST_CASE("objects are deleted in the order of asking, and one may delete others that wait") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const a = letter('a', gone);
    Object* const b = letter('b', gone);
    Object* const c = letter('c', gone);
    Object* const child = letter('k', gone, b);
    for (Object* each : {b, a, child, c})
        each->deleteLater();
    SUBCASE("a parent takes its child with it") {
        loop.processEvents();
        CHECK(gone == "bkac");
    }
    SUBCASE("by hand") {
        b->destroyed.connect([&] { delete c; });
        loop.processEvents();
        CHECK(gone == "bcka");
    }
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("what a nested loop's slot asks for goes in that loop, what the outer slot asks for does not") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const outer = letter('o', gone);
    Object* const inner = letter('i', gone);
    bool viaExec = false;
    SUBCASE("processEvents") {}
    SUBCASE("exec") { viaExec = true; }
    loop.post([&] {
        outer->deleteLater();
        loop.post([&] {
            inner->deleteLater();
            loop.quit();
        });
        viaExec ? static_cast<void>(loop.exec()) : static_cast<void>(loop.processEvents());
        CHECK(gone == "i");
        loop.processEvents();
        CHECK(gone == "i");
    });
    loop.processEvents();
    CHECK(gone == "io");
}

TEST_CASE("three levels deep, each loop deletes what its own slots asked for") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const a = letter('1', gone);
    Object* const b = letter('2', gone);
    Object* const c = letter('3', gone);
    loop.post([&] {
        a->deleteLater();
        loop.post([&] {
            b->deleteLater();
            loop.post([&] { c->deleteLater(); });
            loop.processEvents();
            CHECK(gone == "3");
        });
        loop.processEvents();
        CHECK(gone == "32");
    });
    loop.processEvents();
    CHECK(gone == "321");
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("asked for in the outer slot after its nested loop, an object goes when the outer slot is done") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const object = letter('a', gone);
    Object* const other = letter('b', gone);
    loop.post([&] {
        object->deleteLater();
        loop.processEvents();
        other->deleteLater();
        loop.processEvents();
        CHECK(gone.empty());
    });
    loop.processEvents();
    CHECK(gone == "ab");
}

TEST_CASE("the sender whose slot runs a nested loop stays until the slot is done") {
    EventLoop& loop = *EventLoop::current();
    auto* const timer = new Timer;
    const Pointer<Timer> guard(timer);
    timer->setSingleShot(true);
    timer->timeout.connect([&] {
        timer->deleteLater();
        Timer end;
        end.setSingleShot(true);
        end.timeout.connect([&] { loop.quit(); });
        end.start(5ms);
        loop.exec();
        CHECK(guard);
    });
    timer->start(0ms);
    loop.processEvents();
    CHECK_FALSE(guard);
}

TEST_CASE("an exception does not lose what was to be deleted") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const a = letter('a', gone);
    Object* const b = letter('b', gone);
    loop.post([&] {
        a->deleteLater();
        loop.post([&] {
            b->deleteLater();
            throw 1;
        });
        CHECK_THROWS_AS(loop.processEvents(), int);
        CHECK(gone.empty());
        throw 2;
    });
    CHECK_THROWS_AS(loop.processEvents(), int);
    CHECK(gone.empty());
    CHECK(loop.processEvents());
    CHECK(gone == "ab");
}

TEST_CASE("an object's end may ask for the end of others") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const a = letter('a', gone);
    Object* const b = letter('b', gone);
    a->destroyed.connect([&] { b->deleteLater(); });
    a->deleteLater();
    loop.processEvents();
    loop.processEvents();
    CHECK(gone == "ab");
}

TEST_CASE("an object's end may run the loop, in which others are deleted") {
    EventLoop& loop = *EventLoop::current();
    std::string gone;
    Object* const a = letter('a', gone);
    Object* const b = letter('b', gone);
    Object* const c = letter('c', gone);
    a->destroyed.connect([&] {
        loop.post([&] { c->deleteLater(); });
        loop.processEvents();
    });
    a->deleteLater();
    b->deleteLater();
    loop.processEvents();
    loop.processEvents();
    CHECK(gone.size() == 3);
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("objects that keep asking for successors do not hold up the loop") {
    EventLoop& loop = *EventLoop::current();
    int made = 0;
    struct Successor : Object {
        explicit Successor(int& count) : made(count) { ++made; }
        ~Successor() override {
            if (made < 1000)
                (new Successor(made))->deleteLater();
        }
        int& made;
    };
    (new Successor(made))->deleteLater();
    loop.processEvents();
    CHECK(made == 2);
    CHECK(pumpUntil([&] { return made == 1000; }));
    loop.processEvents();
    CHECK_FALSE(loop.processEvents());
}

TEST_CASE("a hundred thousand objects are deleted quickly") {
    constexpr int count = 100'000;
    EventLoop& loop = *EventLoop::current();
    int gone = 0;
    std::vector<Object*> all;
    for (int i = 0; i != count; ++i) {
        all.push_back(new Object);
        all.back()->destroyed.connect([&] { ++gone; });
    }
    loop.post([&] {
        for (Object* each : all)
            each->deleteLater();
    });
    const auto begin = std::chrono::steady_clock::now();
    loop.processEvents();
    CHECK(gone == count);
    CHECK(std::chrono::steady_clock::now() - begin < patience(2s));
}

TEST_CASE("deleteLater from other threads deletes on the object's own thread") {
    constexpr int each = 2000;
    std::atomic<int> gone = 0;
    std::atomic<bool> elsewhere = false;
    const auto here = std::this_thread::get_id();
    std::vector<std::vector<Object*>> shares(4);
    for (auto& share : shares) {
        for (int i = 0; i != each; ++i) {
            share.push_back(new Object);
            share.back()->destroyed.connect([&, here] {
                ++gone;
                if (std::this_thread::get_id() != here)
                    elsewhere = true;
            });
        }
    }
    std::vector<std::thread> threads;
    for (auto& share : shares)
        threads.emplace_back([&share] {
            for (Object* object : share)
                object->deleteLater();
        });
    CHECK(pumpUntil([&] { return gone == 4 * each; }));
    for (std::thread& thread : threads)
        thread.join();
    CHECK_FALSE(elsewhere);
}

TEST_CASE("two threads may ask for the same object") {
    for (int round = 0; round != 50; ++round) {
        std::atomic<int> asked = 0;
        std::string gone;
        Object* const object = letter('a', gone);
        const auto ask = [&] {
            object->deleteLater();
            ++asked;
        };
        std::thread one(ask);
        std::thread two(ask);
        // The object must be there until both have asked.
        one.join();
        two.join();
        CHECK(asked == 2);
        EventLoop::current()->processEvents();
        EventLoop::current()->processEvents();
        CHECK(gone == "a");
    }
}

TEST_CASE("deleteLater from another thread wakes a loop that sleeps in exec") {
    EventLoop& loop = *EventLoop::current();
    auto* const object = new Object;
    object->destroyed.connect([&] { loop.quit(); });
    std::thread other([&] {
        std::this_thread::sleep_for(20ms); // so that the loop sleeps by then
        object->deleteLater();
    });
    CHECK(loop.exec() == 0);
    other.join();
}

TEST_CASE("a thread's end deletes what was asked for, on that thread") {
    std::string gone;
    std::thread::id where;
    std::thread::id there;
    onFreshThread([&] {
        there = std::this_thread::get_id();
        Object* const object = letter('a', gone);
        object->destroyed.connect([&](Object* dying) {
            where = std::this_thread::get_id();
            CHECK(dying->loop() != nullptr);
            CHECK(dying->loop() == EventLoop::current());
        });
        // Its end asks for another one's, and posts what nobody will run.
        Object* const next = letter('b', gone);
        object->destroyed.connect([next] { next->deleteLater(); });
        object->deleteLater();
    });
    CHECK(gone == "ab");
    CHECK(where == there);
}

TEST_CASE("deleteLater may come while the object's thread ends, and after") {
    for (int round = 0; round != 200; ++round) {
        std::atomic<Object*> object = nullptr;
        std::atomic<bool> gone = false;
        std::thread worker([&] {
            auto* const made = new Object;
            made->destroyed.connect([&] { gone = true; });
            object = made;
        });
        while (object == nullptr)
            std::this_thread::yield();
        Object* const asked = object;
        asked->deleteLater();
        worker.join();
        if (!gone)
            delete asked; // it came too late: nobody runs that loop any more
        CHECK(gone);
    }
}
