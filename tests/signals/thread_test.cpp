#include <halyard/signals/signal.h>

#include "misuse.h"
#include "worker.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

using namespace halyard;

namespace {

using Ints = std::vector<int>;

struct Sender : Tracked {
    Signal<int> changed{this};
};

struct Listener : Tracked {
    ~Listener() { endConnections(); }
    void hear(int n) {
        heard.push_back(n);
        thread = std::this_thread::get_id();
        caller = signalOwner();
    }
    void count(int n) { sum.fetch_add(n); }
    using Tracked::endConnections;
    using Tracked::signalOwner;
    static void move(Tracked& object, Worker& worker) {
        detail::Affinity* there = nullptr;
        worker.call([&] { there = &detail::Affinity::current(); });
        moveTo(object, *there);
    }
    static void moveTo(Tracked& object, detail::Affinity& there) {
        Tracked* const all[] = {&object};
        struct Nothing final : Runnable {
            void run() override {}
        };
        CHECK(Tracked::moveTo(there, all, std::make_unique<Nothing>()) == nullptr);
    }

    Ints heard;
    std::thread::id thread;
    Tracked* caller = nullptr;
    std::atomic<long> sum = 0;
};

/// An object that is made, used and deleted on its worker's thread.
template <class T>
class On {
  public:
    explicit On(Worker& worker) : worker_(worker) {
        worker_.call([this] { object_.emplace(); });
    }
    On(const On&) = delete;
    On& operator=(const On&) = delete;
    ~On() { reset(); }
    void reset() {
        worker_.call([this] { object_.reset(); });
    }
    T* operator->() { return &*object_; }
    T& operator*() { return *object_; }

  private:
    Worker& worker_;
    std::optional<T> object_;
};

/// Has the worker run all that is posted to it so far.
void settle(Worker& worker) {
    worker.call([] {});
}

} // namespace

TEST_CASE("an automatic slot is called directly where its receiver lives on the emitting thread, else through its "
          "executor, whomever the signal belongs to") {
    Worker one;
    Worker two;
    std::array<Worker*, 2> workers{&one, &two};
    for (Worker* const owner : workers) {
        for (Worker* const emitter : workers) {
            for (Worker* const home : workers) {
                On<Sender> sender(*owner);
                On<Listener> listener(*home);
                sender->changed.connect(&*listener, &Listener::hear);
                int heardAtOnce = 0;
                emitter->call([&] {
                    sender->changed(1);
                    if (emitter == home)
                        heardAtOnce = static_cast<int>(listener->heard.size());
                    sender->changed(2);
                });
                settle(*home);
                CHECK(heardAtOnce == (emitter == home ? 1 : 0));
                CHECK(listener->heard == Ints{1, 2});
                CHECK(listener->thread == home->id());
            }
        }
    }
}

TEST_CASE("several slots of one signal each run on the thread of their receiver, in order there") {
    Worker one;
    Worker two;
    Sender sender;
    On<Listener> a(one);
    On<Listener> b(two);
    On<Listener> c(one);
    Listener here;
    Ints withoutContext;
    for (Listener* const each : {&*a, &*b, &*c, &here})
        sender.changed.connect(each, &Listener::hear);
    sender.changed.connect([&](int n) { withoutContext.push_back(n); });
    for (int i = 0; i != 100; ++i)
        sender.changed(i);
    CHECK(here.heard.size() == 100);
    CHECK(withoutContext.size() == 100);
    settle(one);
    settle(two);
    CHECK(a->heard == here.heard);
    CHECK(b->heard == here.heard);
    CHECK(c->heard == here.heard);
    CHECK(a->thread == one.id());
    CHECK(b->thread == two.id());
    CHECK(sender.changed.connectionCount() == 5);
    b.reset();
    CHECK(sender.changed.connectionCount() == 4);
    one.call([&] { CHECK(sender.changed.disconnect(&*a) == 1); });
    CHECK(sender.changed.connectionCount() == 3);
}

TEST_CASE("a direct slot runs on the emitting thread, wherever its receiver lives") {
    Worker worker;
    Sender sender;
    On<Listener> listener(worker);
    sender.changed.connect(&*listener, &Listener::hear, ConnectionType::Direct);
    sender.changed(1);
    CHECK(listener->heard == Ints{1});
    CHECK(listener->thread == std::this_thread::get_id());
}

TEST_CASE("a disconnect on the receiver's thread takes queued calls back, and so does its end") {
    Worker worker;
    Sender sender;
    On<Listener> listener(worker);
    std::atomic<int> calls = 0;
    const Connection connection = sender.changed.connect(&*listener, [&](int) { ++calls; });
    worker.call([&] {
        std::thread([&] {
            for (int i = 0; i != 10; ++i)
                sender.changed(i);
        }).join();
        Connection copy = connection;
        CHECK(copy.disconnect());
        CHECK_FALSE(copy.disconnect());
    });
    settle(worker);
    CHECK(calls == 0);

    std::unique_ptr<Listener> dying;
    worker.call([&] { dying = std::make_unique<Listener>(); });
    sender.changed.connect(dying.get(), [&](int) { ++calls; });
    worker.call([&] {
        std::thread([&] { sender.changed(1); }).join();
        dying.reset();
    });
    settle(worker);
    CHECK(calls == 0);
    CHECK(sender.changed.connectionCount() == 0);
}

TEST_CASE("queued calls survive the death of a signal on another thread, and die with the receiver") {
    Worker worker;
    On<Listener> listener(worker);
    {
        const Worker::Pause pause(worker);
        Sender sender;
        sender.changed.connect(&*listener, &Listener::hear);
        sender.changed(1);
        sender.changed(2);
    }
    settle(worker);
    CHECK(listener->heard == Ints{1, 2});
    CHECK(listener->caller == nullptr);
}

TEST_CASE("a slot may ask who calls it, directly, queued and nested") {
    Worker worker;
    Sender sender;
    Sender inner;
    Listener listener;
    std::vector<Tracked*> callers;
    const auto ask = [&] { callers.push_back(listener.signalOwner()); };
    inner.changed.connect(&listener, ask);
    sender.changed.connect(&listener, [&] {
        ask();
        inner.changed(1);
        ask();
    });
    ask();
    sender.changed(1);
    CHECK(callers == std::vector<Tracked*>{nullptr, &sender, &inner, &sender});
    CHECK(listener.signalOwner() == nullptr);

    Signal<> unowned;
    unowned.connect(&listener, ask);
    unowned();
    CHECK(callers.back() == nullptr);

    auto brief = std::make_unique<Sender>();
    brief->changed.connect(&listener, [&] {
        brief.reset();
        ask();
    });
    brief->changed(1);
    CHECK(callers.back() == nullptr);

    On<Listener> remote(worker);
    sender.changed.connect(&*remote, &Listener::hear);
    sender.changed(1);
    settle(worker);
    CHECK(remote->caller == &sender);
}

TEST_CASE("a single shot has ended before its slot runs, and runs once") {
    Worker worker;
    Sender sender;
    Listener here;
    On<Listener> there(worker);
    Connection connection;
    Ints seen;
    const auto slot = [&](int n) {
        CHECK_FALSE(connection.isConnected());
        seen.push_back(n);
    };
    connection = sender.changed.connect(&here, slot, ConnectionType::Direct | ConnectionType::SingleShot);
    sender.changed(1);
    sender.changed(2);
    CHECK(seen == Ints{1});

    sender.changed.connect(&*there, &Listener::hear, ConnectionType::Auto | ConnectionType::SingleShot);
    {
        const Worker::Pause pause(worker);
        sender.changed(3);
        sender.changed(4);
        sender.changed(5);
    }
    settle(worker);
    CHECK(there->heard == Ints{3});
    CHECK(sender.changed.connectionCount() == 0);

    // It may be connected anew in its own slot.
    int rounds = 0;
    std::function<void()> again = [&] {
        if (++rounds != 3)
            sender.changed.connect(&here, again, ConnectionType::SingleShot);
    };
    again();
    for (int i = 0; i != 5; ++i)
        sender.changed(i);
    CHECK(rounds == 3);
}

TEST_CASE("a unique member function is connected once") {
    const Misuse misuse;
    Sender sender;
    Listener listener;
    const auto unique = ConnectionType::Auto | ConnectionType::Unique;
    CHECK(sender.changed.connect(&listener, &Listener::hear, unique).isConnected());
    CHECK_FALSE(sender.changed.connect(&listener, &Listener::hear, unique).isConnected());
    CHECK(sender.changed.connect(&listener, &Listener::count, unique).isConnected());
    CHECK(misuse.sentences().empty());
    CHECK(sender.changed.connect(&listener, &Listener::hear).isConnected());
    CHECK(sender.changed.connectionCount() == 3);
    CHECK(sender.changed.disconnect(&listener, &Listener::hear) == 2);
    CHECK_FALSE(sender.changed
                    .connect(
                        &listener, [] {}, unique)
                    .isConnected());
    CHECK(misuse.sentences() == std::vector<std::string>{"connect: only a member function can be a unique slot"});
}

TEST_CASE("a blocking slot has run on the receiver's thread when the emission returns") {
    const Misuse misuse;
    Worker worker;
    Sender sender;
    On<Listener> listener(worker);
    sender.changed.connect(&*listener, &Listener::hear, ConnectionType::BlockingQueued);
    for (int i = 0; i != 100; ++i) {
        sender.changed(i);
        REQUIRE(listener->heard.size() == static_cast<std::size_t>(i) + 1);
    }
    CHECK(listener->thread == worker.id());
    CHECK(misuse.sentences().empty());
}

TEST_CASE("a blocking slot that would never run is not called, with a sentence") {
    const Misuse misuse;
    Sender sender;
    const auto blocking = ConnectionType::BlockingQueued;

    SUBCASE("on the emitting thread") {
        Listener listener;
        sender.changed.connect(&listener, &Listener::hear, blocking);
        sender.changed(1);
        CHECK(listener.heard.empty());
        CHECK(misuse.sentences() ==
              std::vector<std::string>{"a blocking slot is not called: its receiver lives on the emitting thread"});
    }
    SUBCASE("on a thread that has ended") {
        Worker worker;
        std::optional<Listener> listener;
        worker.call([&] { listener.emplace(); });
        sender.changed.connect(&*listener, &Listener::hear, blocking);
        worker.end();
        sender.changed(1);
        sender.changed(2);
        CHECK(listener->heard.empty());
        CHECK(misuse.sentences() == // once
              std::vector<std::string>{"a queued slot is not called: its receiver's thread has no loop"});
    }
    SUBCASE("on a thread whose loop does not run") {
        Worker worker;
        On<Listener> listener(worker);
        sender.changed.connect(&*listener, &Listener::hear, blocking);
        {
            const Worker::Pause pause(worker);
            sender.changed(1);
        }
        settle(worker);
        CHECK(listener->heard.empty());
        CHECK(misuse.sentences() ==
              std::vector<std::string>{"a blocking slot is not called: nothing runs on its receiver's thread"});
    }
    SUBCASE("on a thread that waits for this one") {
        Worker one;
        Worker two;
        On<Listener> atOne(one);
        On<Listener> atTwo(two);
        On<Sender> back(two);
        sender.changed.connect(
            &*atTwo, [&] { back->changed(1); }, blocking);
        back->changed.connect(&*atOne, &Listener::hear, blocking);
        one.call([&] { sender.changed(1); });
        CHECK(atOne->heard.empty());
        CHECK(misuse.sentences() ==
              std::vector<std::string>{"a blocking slot is not called: its receiver's thread waits for this one"});
    }
}

TEST_CASE("a blocking emission whose receiver moves before the call asks anew whether that would ever run") {
    const Misuse misuse;
    Worker one;
    Worker two;
    Worker three;
    On<Sender> sender(two);
    On<Listener> listener(one);
    sender->changed.connect(&*listener, &Listener::hear, ConnectionType::BlockingQueued);
    detail::Affinity* emitter = nullptr;
    two.call([&] { emitter = &detail::Affinity::current(); });
    detail::Affinity* third = nullptr;
    three.call([&] { third = &detail::Affinity::current(); });
    const auto emitAndMoveTo = [&](detail::Affinity& there, auto meanwhile) {
        std::atomic<bool> emitted = false;
        std::thread waits;
        one.call([&] {
            waits = std::thread([&] {
                two.call([&] { sender->changed(1); });
                emitted = true;
            });
            while (emitter->waitsFor == nullptr)
                std::this_thread::yield();
            Listener::moveTo(*listener, there);
            meanwhile(*listener);
        });
        waits.join();
        CHECK(emitted);
    };
    std::vector<std::string> expected;
    std::size_t heard = 0;
    SUBCASE("to the emitting thread") {
        emitAndMoveTo(*emitter, [](Listener&) {});
        expected = {"a blocking slot is not called: its receiver's thread waits for this one"};
    }
    SUBCASE("to the emitting thread, and another one disconnects it") {
        emitAndMoveTo(*emitter, [](Listener& its) { its.endConnections(); });
    }
    SUBCASE("to one that runs nothing") {
        const Worker::Pause pause(three);
        emitAndMoveTo(*third, [](Listener&) {});
        expected = {"a blocking slot is not called: nothing runs on its receiver's thread"};
    }
    SUBCASE("to one that runs") {
        emitAndMoveTo(*third, [](Listener&) {});
        heard = 1;
    }
    settle(two);
    settle(three);
    CHECK(listener->heard.size() == heard);
    CHECK(misuse.sentences() == expected);
}

TEST_CASE("a blocking emission goes on when its receiver dies before the call") {
    const Misuse misuse;
    Worker worker;
    Sender sender;
    auto listener = std::make_unique<On<Listener>>(worker);
    std::atomic<int> calls = 0;
    sender.changed.connect(
        &**listener, [&] { ++calls; }, ConnectionType::BlockingQueued);
    std::atomic<bool> emitted = false;
    std::thread emitter;
    worker.call([&] {
        emitter = std::thread([&] {
            sender.changed(1);
            emitted = true;
        });
        while (!(*listener)->executor()->isRunning())
            std::this_thread::yield();
        (*listener)->endConnections();
    });
    emitter.join();
    CHECK(emitted);
    CHECK(calls == 0);
    listener.reset();
}

TEST_CASE("calls that are queued for an object follow it to another thread, in order") {
    Worker one;
    Worker two;
    Sender sender;
    std::optional<Listener> listener;
    one.call([&] { listener.emplace(); });
    sender.changed.connect(&*listener, &Listener::hear);
    one.call([&] {
        std::thread([&] {
            for (int i = 0; i != 50; ++i)
                sender.changed(i);
        }).join();
        Listener::move(*listener, two);
        CHECK_FALSE(listener->livesHere());
        CHECK(listener->executor() == &two);
    });
    for (int i = 50; i != 100; ++i)
        sender.changed(i);
    settle(two);
    CHECK(listener->heard.size() == 100);
    for (int i = 0; i != 100; ++i)
        CHECK(listener->heard[static_cast<std::size_t>(i)] == i);
    CHECK(listener->thread == two.id());
    two.call([&] { listener.reset(); });
    CHECK(sender.changed.connectionCount() == 0);
}

TEST_CASE("the signals of an object that has moved are emitted on its new thread") {
    Worker worker;
    Sender sender;
    Listener here;
    On<Listener> there(worker);
    Ints direct;
    sender.changed.connect(&here, &Listener::hear, ConnectionType::Direct);
    sender.changed.connect(&*there, [&](int n) { direct.push_back(n); });
    sender.changed(1);
    settle(worker);
    Listener::move(sender, worker);
    worker.call([&] {
        sender.changed(2);
        CHECK(direct == Ints{1, 2});
        sender.changed(3);
        CHECK(direct == Ints{1, 2, 3});
    });
    CHECK(here.heard == Ints{1, 2, 3});
}

TEST_CASE("an object may outlive its thread") {
    Sender sender;
    std::optional<Listener> listener;
    std::thread([&] { listener.emplace(); }).join();
    const Misuse misuse;
    sender.changed.connect(&*listener, &Listener::hear);
    sender.changed(1);
    CHECK(listener->heard.empty());
    CHECK(misuse.sentences() ==
          std::vector<std::string>{"a queued slot is not called: its receiver's thread has no loop"});
    // Its place is not another thread's.
    std::thread([&] { CHECK_FALSE(listener->livesHere()); }).join();
    listener.reset();
    CHECK(sender.changed.connectionCount() == 0);
}

TEST_CASE("a relay of a signal of another thread emits on the emitting thread") {
    Worker worker;
    Sender sender;
    On<Sender> middle(worker);
    On<Listener> end(worker);
    sender.changed.connect(middle->changed);
    middle->changed.connect(&*end, &Listener::hear);
    sender.changed(1);
    worker.call([&] { sender.changed(2); });
    settle(worker);
    CHECK(end->heard == Ints{1, 2});
    middle.reset();
    CHECK(sender.changed.connectionCount() == 0);
}

TEST_CASE("a slot that runs while another thread disconnects it ends with its functor whole") {
    Worker worker;
    Sender sender;
    struct Functor {
        std::shared_ptr<std::string> word = std::make_shared<std::string>("whole");
        std::atomic<int>* phase;
        std::string* seen;
        void operator()(int) const {
            *phase = 1;
            while (*phase != 2)
                std::this_thread::yield();
            *seen = *word;
        }
    };
    std::atomic<int> phase = 0;
    std::string seen;
    std::weak_ptr<std::string> alive;
    {
        Functor functor;
        functor.phase = &phase;
        functor.seen = &seen;
        alive = functor.word;
        Connection connection = sender.changed.connect(std::move(functor));
        std::thread other([&] {
            while (phase != 1)
                std::this_thread::yield();
            CHECK(connection.disconnect());
            phase = 2;
        });
        sender.changed(1);
        other.join();
    }
    CHECK(seen == "whole");
    CHECK(alive.expired());
    CHECK(sender.changed.connectionCount() == 0);
}

TEST_CASE("connections that come and go do not pile up while one emission or another always runs") {
    constexpr int rounds = 300;
    constexpr int connections = 8; // of each round
    constexpr int most = 6 * connections;
    std::array<Worker, 2> workers;
    Sender sender;
    std::atomic<int> begun = 0;
    std::atomic<int> mayEnd = 0;
    std::atomic<int> ended = 0;
    const auto awaitValue = [](const std::atomic<int>& what, int least) {
        for (int now = what; now < least; now = what)
            what.wait(now);
    };
    const auto begin = [&](int number) {
        struct Emit final : Runnable {
            Emit(Sender& from, int what) : sender(from), argument(what) {}
            void run() override { sender.changed(argument); }
            Sender& sender;
            int argument;
        };
        workers[static_cast<std::size_t>(number % 2)].post(std::make_unique<Emit>(sender, number));
        awaitValue(begun, number);
    };
    sender.changed.connect([&](int number) {
        begun = number;
        begun.notify_all();
        awaitValue(mayEnd, number);
    });
    int heard = 0;
    sender.changed.connect([&](int) {
        ++heard; // one emission after the other comes here
        ended = heard;
        ended.notify_all();
    });
    const auto token = std::make_shared<int>();
    begin(1);
    for (int round = 1; round <= rounds; ++round) {
        std::vector<Connection> mine;
        for (int i = 0; i != connections; ++i)
            mine.push_back(sender.changed.connect([token](int) {}));
        for (Connection& each : mine)
            CHECK(each.disconnect());
        begin(round + 1);
        mayEnd = round;
        mayEnd.notify_all();
        awaitValue(ended, round);
        CHECK(token.use_count() <= most);
    }
    mayEnd = rounds + 1;
    mayEnd.notify_all();
    awaitValue(ended, rounds + 1);
    for (Worker& each : workers)
        each.call([] {});
    CHECK(token.use_count() == 1);
    CHECK(sender.changed.connectionCount() == 2);
}

TEST_CASE("a thread that has ended leaves its number to a later one, once nothing lives there any more") {
    std::unique_ptr<Sender> left;
    const auto numberOfThread = [&left](bool leaves) {
        std::uint32_t number = 0;
        std::thread([&] {
            auto sender = std::make_unique<Sender>();
            sender->changed(1);
            number = detail::Affinity::current().id;
            if (leaves)
                left = std::move(sender);
        }).join();
        return number;
    };
    const std::uint32_t number = numberOfThread(false);
    for (int i = 0; i != 1000; ++i)
        REQUIRE(numberOfThread(false) == number);
    CHECK(numberOfThread(true) == number);
    CHECK(numberOfThread(false) != number);
    left.reset();
    CHECK(numberOfThread(false) == number);
}

#ifdef __GLIBC__
TEST_CASE("threads that come and go cost no memory") {
    const auto comeAndGo = [](int threads) {
        for (int i = 0; i != threads; ++i)
            std::thread([] {
                Sender sender;
                Listener listener;
                sender.changed.connect(&listener, &Listener::hear);
                sender.changed.connect([](int) {});
                sender.changed(1);
            }).join();
    };
    comeAndGo(10);
    const std::size_t before = ::mallinfo2().uordblks;
    comeAndGo(500);
    CHECK(::mallinfo2().uordblks <= before + std::size_t{64} * 1024);
}
#endif
