#include <halyard/signals/executor.h>

#include <halyard/signals/pointer.h>
#include <halyard/signals/signal.h>

#include "manual_executor.h"
#include "misuse.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;

namespace {

static_assert(!std::is_copy_constructible_v<Executor> && !std::is_move_constructible_v<Executor>);
static_assert(std::is_abstract_v<Executor>);
static_assert(!std::is_destructible_v<Executor>, "an executor is never deleted through its base");
static_assert(std::is_abstract_v<Runnable> && std::has_virtual_destructor_v<Runnable>);
static_assert(!std::is_copy_constructible_v<Runnable> && !std::is_move_constructible_v<Runnable>);
static_assert(noexcept(Executor::current()));

using Ints = std::vector<int>;

struct Listener : Tracked {
    void hear(int n) { heard.push_back(n); }
    Ints heard;
};

struct Sender : Tracked {
    using Tracked::setSignalsBlocked;
    Signal<int> changed{this};
};

/// An argument that counts its copies and lives.
struct Parcel {
    explicit Parcel(int is = 0) : number(is) { ++alive; }
    Parcel(const Parcel& other) : number(other.number) {
        if (fragile)
            throw std::runtime_error("this parcel cannot be copied now");
        ++alive;
        ++copies;
    }
    Parcel(Parcel&& other) noexcept : number(other.number) {
        ++alive;
        ++moves;
    }
    Parcel& operator=(const Parcel&) = default;
    Parcel& operator=(Parcel&&) = default;
    ~Parcel() { --alive; }

    int number;
    static inline bool fragile = false;
    static inline int alive = 0;
    static inline int copies = 0;
    static inline int moves = 0;
    static void reset() { copies = moves = 0; }
};

constexpr auto queued = ConnectionType::Queued;

} // namespace

TEST_CASE("a queued slot runs when the executor runs, not in the emission") {
    ManualExecutor executor;
    Signal<int> s;
    Listener listener;
    s.connect(&listener, &Listener::hear, queued);
    s(1);
    s(2);
    CHECK(listener.heard.empty());
    CHECK(executor.waiting() == 2);
    executor.run();
    CHECK(listener.heard == Ints{1, 2});
    CHECK(executor.waiting() == 0);
}

TEST_CASE("automatic and direct connections of one thread are direct, though it has an executor") {
    ManualExecutor executor;
    Signal<int> s;
    Listener listener;
    s.connect(&listener, &Listener::hear);
    s.connect(&listener, &Listener::hear, ConnectionType::Auto);
    s.connect(&listener, &Listener::hear, ConnectionType::Direct);
    s(1);
    CHECK(listener.heard == Ints{1, 1, 1});
    CHECK(executor.waiting() == 0);
}

TEST_CASE("queued calls run in the order of the emissions, and within one in the order of connecting") {
    ManualExecutor executor;
    Signal<int> one;
    Signal<int> two;
    Listener listener;
    Ints order;
    one.connect(
        &listener, [&](int n) { order.push_back(n); }, queued);
    one.connect(&listener, [&](int n) { order.push_back(-n); });
    two.connect(
        &listener, [&](int n) { order.push_back(10 * n); }, queued);
    one.connect(
        &listener, [&](int n) { order.push_back(100 * n); }, queued);
    one(1);
    two(2);
    one(3);
    CHECK(order == Ints{-1, -3});
    executor.run();
    CHECK(order == Ints{-1, -3, 1, 100, 20, 3, 300});
}

TEST_CASE("a queued slot may take fewer arguments, others that they convert to, or none") {
    ManualExecutor executor;
    Signal<int, const std::string&> s;
    Listener listener;
    std::string log;
    s.connect(&listener, &Listener::hear, queued);
    s.connect(
        &listener, [&] { log += "none "; }, queued);
    s.connect(
        &listener, [&](double d, std::string word) { log += word + (d > 1 ? "!" : "?"); }, queued);
    {
        std::string word = "word";
        s(2, word);
        word = "another";
    }
    executor.run();
    CHECK(listener.heard == Ints{2});
    CHECK(log == "none word!");
}

TEST_CASE("queued arguments are copied once for each queued connection, and no more when they arrive") {
    ManualExecutor executor;
    Listener listener;
    int seen = 0;
    const auto run = [&](auto& s) {
        s.connect(
            &listener, [&](const Parcel& parcel) { seen += parcel.number; }, queued);
        s.connect(
            &listener, [&](const Parcel& parcel) { seen += parcel.number; }, queued);
        s.connect(&listener, [&](const Parcel& parcel) { seen += parcel.number; });
        const Parcel parcel(5);
        Parcel::reset();
        s(parcel);
        CHECK(Parcel::copies == 2);
        CHECK(Parcel::alive == 3);
        executor.run();
        CHECK(Parcel::copies == 2);
        CHECK(Parcel::moves == 0);
        CHECK(Parcel::alive == 1);
        CHECK(seen == 15);
    };
    SUBCASE("with a signal that carries a const reference") {
        Signal<const Parcel&> s;
        run(s);
    }
    SUBCASE("with a signal that carries a value") {
        Signal<Parcel> s;
        run(s);
    }
    SUBCASE("and once more for a slot that takes its own") {
        Signal<const Parcel&> s;
        s.connect(
            &listener, [&](Parcel parcel) { seen = parcel.number; }, queued);
        Parcel::reset();
        s(Parcel(6));
        executor.run();
        CHECK(seen == 6);
        CHECK(Parcel::copies + Parcel::moves == 2);
    }
    CHECK(Parcel::alive == 0);
}

TEST_CASE("an argument whose copying throws leaves the emission and nothing behind") {
    ManualExecutor executor;
    Signal<const Parcel&> s;
    Listener listener;
    int calls = 0;
    s.connect(
        &listener, [&](const Parcel&) { ++calls; }, queued);
    {
        const Parcel parcel;
        Parcel::fragile = true;
        CHECK_THROWS_AS(s(parcel), std::runtime_error);
        Parcel::fragile = false;
        CHECK(executor.waiting() == 0);
        s(parcel);
    }
    executor.run();
    CHECK(calls == 1);
    CHECK(Parcel::alive == 0);
}

TEST_CASE("a disconnect takes queued calls back") {
    std::function<void(Signal<int>&, Listener&, Connection&)> end;
    SUBCASE("through the handle") {
        end = [](Signal<int>&, Listener&, Connection& connection) { CHECK(connection.disconnect()); };
    }
    SUBCASE("through the slot") {
        end = [](Signal<int>& s, Listener& listener, Connection&) {
            CHECK(s.disconnect(&listener, &Listener::hear) == 1);
        };
    }
    SUBCASE("through the receiver") {
        end = [](Signal<int>& s, Listener& listener, Connection&) { CHECK(s.disconnect(&listener) == 1); };
    }
    SUBCASE("of everything") {
        end = [](Signal<int>& s, Listener&, Connection&) { s.disconnectAll(); };
    }
    SUBCASE("though the same slot is connected anew") {
        end = [](Signal<int>& s, Listener& listener, Connection& connection) {
            connection.disconnect();
            connection = s.connect(&listener, &Listener::hear, queued);
        };
    }
    for (const int others : {0, 1, 3, 10}) {
        ManualExecutor executor;
        Signal<int> s;
        Listener listener;
        Connection connection = s.connect(&listener, &Listener::hear, queued);
        for (int i = 0; i != others; ++i)
            s.connect([](int) {});
        s(1);
        s(2);
        s(3);
        executor.runOne();
        end(s, listener, connection);
        executor.run();
        CHECK(listener.heard == Ints{1});
    }
}

TEST_CASE("a disconnect takes back what its own connection queued, and nothing else") {
    ManualExecutor executor;
    Signal<int> s;
    Listener listener;
    Connection one = s.connect(
        &listener, [&](int n) { listener.heard.push_back(n); }, queued);
    s.connect(
        &listener, [&](int n) { listener.heard.push_back(10 * n); }, queued);
    s(1);
    one.disconnect();
    s(2);
    executor.run();
    CHECK(listener.heard == Ints{10, 20});
}

TEST_CASE("the death of the receiver takes queued calls back") {
    ManualExecutor executor;
    auto s = std::make_unique<Signal<int>>();
    auto listener = std::make_unique<Listener>();
    Ints seen;
    s->connect(listener.get(), &Listener::hear, queued);
    s->connect(
        listener.get(), [&](int n) { seen.push_back(n); }, queued);
    (*s)(1);
    SUBCASE("while the signal lives") {}
    SUBCASE("when the signal is gone already") { s.reset(); }
    listener.reset();
    CHECK(executor.waiting() == 2);
    executor.run();
    CHECK(seen.empty());
}

TEST_CASE("queued calls survive the death of the signal") {
    ManualExecutor executor;
    auto sender = std::make_unique<Sender>();
    Listener listener;
    const Connection connection = sender->changed.connect(&listener, &Listener::hear, queued);
    SUBCASE("of an only connection") {}
    SUBCASE("of one among others") {
        sender->changed.connect([](int) {});
    }
    sender->changed(1);
    sender->changed(2);
    sender.reset();
    CHECK_FALSE(connection.isConnected());
    executor.run();
    CHECK(listener.heard == Ints{1, 2});
}

TEST_CASE("a handle cannot take back what a dead signal left in the queue") {
    ManualExecutor executor;
    auto s = std::make_unique<Signal<int>>();
    Listener listener;
    Connection connection = s->connect(&listener, &Listener::hear, queued);
    (*s)(1);
    s.reset();
    CHECK_FALSE(connection.disconnect());
    executor.run();
    CHECK(listener.heard == Ints{1});
}

TEST_CASE("blocking does not take queued calls back, and queues no new ones") {
    ManualExecutor executor;
    Sender sender;
    Listener listener;
    Connection connection = sender.changed.connect(&listener, &Listener::hear, queued);
    sender.changed(1);
    SUBCASE("the connection") { connection.setBlocked(true); }
    SUBCASE("the sender's signals") { sender.setSignalsBlocked(true); }
    sender.changed(2);
    executor.run();
    CHECK(listener.heard == Ints{1});
    connection.setBlocked(false);
    sender.setSignalsBlocked(false);
    sender.changed(3);
    executor.run();
    CHECK(listener.heard == Ints{1, 3});
}

TEST_CASE("a connection that is unblocked is queued as before") {
    ManualExecutor executor;
    Signal<int> s;
    Listener listener;
    Connection connection = s.connect(&listener, &Listener::hear, queued);
    connection.setBlocked(true);
    connection.setBlocked(false);
    s(1);
    CHECK(listener.heard.empty());
    executor.run();
    CHECK(listener.heard == Ints{1});
}

TEST_CASE("a queued slot may do anything") {
    ManualExecutor executor;
    auto s = std::make_unique<Signal<int>>();
    auto listener = std::make_unique<Listener>();
    Ints calls;
    std::string seen;
    Connection self;

    SUBCASE("delete its receiver: what else was queued for it is dropped") {
        s->connect(
            listener.get(),
            [&, word = std::string("outlives the receiver for this call")](int n) {
                calls.push_back(n);
                listener.reset();
                seen = word;
            },
            queued);
        (*s)(1);
        (*s)(2);
        executor.run();
        CHECK(calls == Ints{1});
        CHECK(seen == "outlives the receiver for this call");
        CHECK(s->connectionCount() == 0);
    }
    SUBCASE("delete its receiver after the signal went") {
        s->connect(
            listener.get(),
            [&, word = std::string("outlives receiver and signal for this call")](int n) {
                calls.push_back(n);
                listener.reset();
                seen = word;
            },
            queued);
        (*s)(1);
        (*s)(2);
        s.reset();
        executor.run();
        CHECK(calls == Ints{1});
        CHECK(seen == "outlives receiver and signal for this call");
    }
    SUBCASE("delete the signal: what was queued still runs") {
        s->connect(
            listener.get(),
            [&](int n) {
                calls.push_back(n);
                s.reset();
            },
            queued);
        (*s)(1);
        (*s)(2);
        executor.run();
        CHECK(calls == Ints{1, 2});
    }
    SUBCASE("disconnect itself: what else was queued is dropped") {
        self = s->connect(
            listener.get(),
            [&, word = std::string("captured, and wanted after the disconnect")](int n) {
                calls.push_back(n);
                CHECK(self.disconnect());
                seen = word;
            },
            queued);
        (*s)(1);
        (*s)(2);
        executor.run();
        CHECK(calls == Ints{1});
        CHECK(seen == "captured, and wanted after the disconnect");
    }
    SUBCASE("emit again: that runs after what waits") {
        s->connect(
            listener.get(),
            [&](int n) {
                calls.push_back(n);
                if (n < 10)
                    (*s)(n + 10);
            },
            queued);
        (*s)(1);
        (*s)(2);
        executor.run();
        CHECK(calls == Ints{1, 2, 11, 12});
    }
    SUBCASE("run the executor: the calls do not mix") {
        s->connect(
            listener.get(),
            [&](int n) {
                calls.push_back(n);
                executor.run();
                calls.push_back(-n);
            },
            queued);
        (*s)(1);
        (*s)(2);
        executor.run();
        CHECK(calls == Ints{1, 2, -2, -1});
    }
}

TEST_CASE("an exception of a queued slot leaves through the task, and the rest of the queue waits") {
    ManualExecutor executor;
    Signal<int> s;
    Listener listener;
    s.connect(
        &listener,
        [&](int n) {
            listener.heard.push_back(n);
            if (n == 1)
                throw std::runtime_error("thrown by a queued slot");
        },
        queued);
    s(1);
    s(2);
    CHECK_THROWS_AS(executor.run(), std::runtime_error);
    CHECK(executor.waiting() == 1);
    executor.run();
    CHECK(listener.heard == Ints{1, 2});
}

TEST_CASE("an executor may drop its tasks") {
    ManualExecutor executor;
    auto s = std::make_unique<Signal<const Parcel&>>();
    auto listener = std::make_unique<Listener>();
    const auto held = std::make_shared<int>(0);
    int calls = 0;
    s->connect(
        listener.get(), [&calls, held](const Parcel&) { ++calls; }, queued);
    s->connect(
        listener.get(), [&calls, held](const Parcel&) { ++calls; }, queued);
    (*s)(Parcel());
    CHECK(Parcel::alive == 2);

    SUBCASE("and later ones still run") {
        executor.dropAll();
        CHECK(Parcel::alive == 0);
        CHECK(calls == 0);
        (*s)(Parcel());
        executor.run();
        CHECK(calls == 2);
    }
    SUBCASE("after the signal went") {
        s.reset();
        CHECK(held.use_count() == 3); // the calls on their way still need them
        executor.dropAll();
        CHECK(held.use_count() == 1);
    }
    SUBCASE("after the receiver went") {
        listener.reset();
        executor.dropAll();
        CHECK(held.use_count() == 1);
    }
    SUBCASE("after a disconnect") {
        s->disconnectAll();
        executor.dropAll();
        CHECK(held.use_count() == 1);
    }
    SUBCASE("as its last deed") {}
    executor.dropAll();
    CHECK(Parcel::alive == 0);
}

TEST_CASE("a functor lives until its last queued call has run or was dropped") {
    for (const int others : {0, 1, 5}) {
        for (const bool dropped : {false, true}) {
            ManualExecutor executor;
            auto s = std::make_unique<Signal<int>>();
            Listener listener;
            auto held = std::make_shared<int>(0);
            for (int i = 0; i != others; ++i)
                s->connect([](int) {});
            const auto connectAndEmitTwice = [&] {
                const Connection made = s->connect(
                    &listener, [held](int n) { *held += n; }, queued);
                (*s)(1);
                (*s)(2);
                return made;
            };
            const auto finish = [&] {
                if (dropped)
                    executor.dropAll();
                else
                    executor.run();
            };

            connectAndEmitTwice().disconnect();
            finish();
            CHECK(held.use_count() == 1);
            CHECK(*held == 0);

            Connection between = connectAndEmitTwice();
            executor.runOne();
            CHECK(*held == 1);
            between.disconnect();
            finish();
            CHECK(held.use_count() == 1);
            CHECK(*held == 1);

            connectAndEmitTwice();
            s.reset();
            executor.runOne();
            CHECK(held.use_count() == 2);
            finish();
            CHECK(held.use_count() == 1);
            CHECK(*held == (dropped ? 2 : 4));
        }
    }
}

TEST_CASE("an argument may do anything when a dropped call destroys it") {
    struct Bomb {
        explicit Bomb(std::function<void()> given) : onEnd(std::make_shared<Ending>(std::move(given))) {}
        struct Ending {
            explicit Ending(std::function<void()> given) : run(std::move(given)) {}
            Ending(const Ending&) = delete;
            Ending& operator=(const Ending&) = delete;
            ~Ending() { run(); }
            std::function<void()> run;
        };
        std::shared_ptr<Ending> onEnd;
    };
    ManualExecutor executor;
    auto s = std::make_unique<Signal<const Bomb&>>();
    auto listener = std::make_unique<Listener>();
    int calls = 0;
    s->connect(
        listener.get(), [&](const Bomb&) { ++calls; }, queued);
    (*s)(Bomb([&] {
        s.reset();
        listener.reset();
    }));
    SUBCASE("dropped") { executor.dropAll(); }
    SUBCASE("run") {
        executor.run();
        CHECK(calls == 1);
    }
    CHECK(s == nullptr);
    CHECK(listener == nullptr);
}

TEST_CASE("a queued slot behind a relay is queued") {
    ManualExecutor executor;
    Signal<int> first;
    Signal<int> next;
    Listener listener;
    first.connect(next);
    next.connect(&listener, &Listener::hear, queued);
    first(1);
    CHECK(listener.heard.empty());
    executor.run();
    CHECK(listener.heard == Ints{1});
}

TEST_CASE("a queued slot without an executor to queue it is refused with a sentence") {
    const Misuse misuse;
    Signal<int> s;
    Listener listener;
    CHECK_FALSE(s.connect(&listener, &Listener::hear, queued).isConnected());
    CHECK_FALSE(s.connect(
                     &listener, [](int) {}, queued)
                    .isConnected());
    CHECK(misuse.sentences() ==
          std::vector<std::string>(2, "connect: a queued slot needs a receiver on a thread with a loop"));
    CHECK(s.connectionCount() == 0);
    CHECK(s.connect(&listener, &Listener::hear).isConnected());
}

TEST_CASE("what a queued call keeps may be of any size and alignment") {
    ManualExecutor executor;
    struct alignas(64) Aligned {
        int value = 0;
    };
    struct Large {
        std::array<int, 100> values{};
    };
    Signal<Aligned> aligned;
    Signal<Large> large;
    Signal<std::string, std::string> texts;
    Listener listener;
    int seen = 0;
    const auto look = [&](const Aligned& argument) {
        CHECK(reinterpret_cast<std::uintptr_t>(&argument) % alignof(Aligned) == 0);
        seen += argument.value;
    };
    aligned.connect(&listener, look, queued);
    const auto add = [&](const Large& argument) { seen += argument.values.back(); };
    large.connect(&listener, add, queued);
    const auto count = [&](const std::string& a, const std::string& b) {
        seen += static_cast<int>(a.size() + b.size());
    };
    texts.connect(&listener, count, queued);
    for (int i = 0; i != 200; ++i) {
        aligned(Aligned{1});
        Large argument;
        argument.values.back() = 1;
        large(argument);
        texts("12345678901234567890", "x");
    }
    executor.run();
    CHECK(seen == 200 * 23);
}

TEST_CASE("a signal whose arguments can be neither copied nor moved is heard on its own thread") {
    const Misuse misuse;
    ManualExecutor executor;
    Signal<int, const std::unique_ptr<int>&> s;
    Listener listener;
    s.connect(&listener, &Listener::hear); // that it cannot be Queued says the compiler
    s.connect(&listener, &Listener::hear, ConnectionType::SingleShot);
    s(1, nullptr);
    CHECK(listener.heard == Ints{1, 1});
    CHECK(s.connectionCount() == 1);
    CHECK(misuse.sentences().empty());
}

TEST_CASE("an argument that can only be moved is moved to a single queued receiver") {
    const Misuse misuse;
    ManualExecutor executor;
    Signal<std::unique_ptr<int>> s;
    Listener listener;
    Ints seen;
    const auto look = [&](const std::unique_ptr<int>& n) { seen.push_back(*n); };
    const Connection only = s.connect(&listener, look, queued);
    s(std::make_unique<int>(1));
    CHECK(seen.empty());
    executor.run();
    CHECK(seen == Ints{1});

    SUBCASE("and a second one is refused, queued or direct") {
        CHECK_FALSE(s.connect(&listener, look, queued).isConnected());
        CHECK_FALSE(s.connect(&listener, look).isConnected());
        CHECK(misuse.sentences() ==
              std::vector<std::string>(
                  2, "connect: arguments that can only be moved have one receiver where one is queued"));
        s(std::make_unique<int>(2));
        executor.run();
        CHECK(seen == Ints{1, 2});
    }
    SUBCASE("and one that came by another way is not called, with a sentence") {
        s.connect([&](const std::unique_ptr<int>& n) { seen.push_back(-*n); });
        s(std::make_unique<int>(2));
        executor.run();
        CHECK(seen == Ints{1, -2});
        CHECK(misuse.sentences() ==
              std::vector<std::string>{
                  "a queued slot is not called: an argument can only be moved, and others are connected"});
        CHECK(only.isConnected());
    }
}
