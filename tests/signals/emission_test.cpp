#include <halyard/signals/signal.h>

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;

namespace {

static_assert(!std::is_copy_constructible_v<detail::Emission> && !std::is_move_constructible_v<detail::Emission>);
static_assert(!noexcept(std::declval<const Signal<int>&>()(1)), "what a slot throws leaves through the emission");

/// A receiver that writes down its name when it is called, and then does what the test gave it to do.
struct Actor : Tracked {
    Actor(char is, std::string& log) : name(is), calls(log) {}
    void act() {
        calls += name;
        if (const std::function<void()> mine = action)
            mine(); // may delete us
    }

    char name;
    std::string& calls;
    std::function<void()> action;
};

/// The table's three slots A, B and C on one signal, each on a receiver of its own.
struct Three {
    Three() {
        for (char name : {'A', 'B', 'C'}) {
            actors.push_back(std::make_unique<Actor>(name, calls));
            made.push_back(signal->connect(actors.back().get(), &Actor::act));
        }
    }
    std::function<void()>& whenA() { return actors[0]->action; }
    std::function<void()>& whenB() { return actors[1]->action; }
    std::string emitted() {
        calls.clear();
        (*signal)();
        return calls;
    }

    std::string calls;
    std::unique_ptr<Signal<>> signal = std::make_unique<Signal<>>();
    std::vector<std::unique_ptr<Actor>> actors;
    std::vector<Connection> made;
};

struct Thrown : std::runtime_error {
    Thrown() : std::runtime_error("thrown by a slot") {}
};

/// An object with signals of its own that it can silence.
struct Sender : Tracked {
    using Tracked::setSignalsBlocked;
    using Tracked::signalsAreBlocked;

    Signal<int> one{this};
    Signal<int> many{this};
};

} // namespace

TEST_CASE("slots run in order, in every emission") {
    Three t;
    CHECK(t.emitted() == "ABC");
    CHECK(t.emitted() == "ABC");
}

TEST_CASE("a slot that disconnects itself completes, and does not run again") {
    Three t;
    t.whenB() = [&] { CHECK(t.made[1].disconnect()); };
    CHECK(t.emitted() == "ABC");
    CHECK(t.emitted() == "AC");
    CHECK(t.signal->connectionCount() == 2);
}

TEST_CASE("an only slot that disconnects itself completes, and does not run again") {
    Signal<> s;
    std::string calls;
    Actor actor('A', calls);
    Connection only = s.connect(&actor, &Actor::act);
    actor.action = [&] {
        CHECK(only.disconnect());
        CHECK(s.connectionCount() == 0);
        s(); // reaches nobody
    };
    s();
    s();
    CHECK(calls == "A");
}

TEST_CASE("a lambda that disconnects itself may still use its captures") {
    Signal<> s;
    Connection self;
    std::string seen;
    const auto slot = [&s, &self, &seen, word = std::string("captured on the heap, and long enough")] {
        CHECK(self.disconnect());
        s(); // a walk that ends before ours does
        s.connect([] {});
        seen = word;
    };
    SUBCASE("alone") { self = s.connect(slot); }
    SUBCASE("among others") {
        s.connect([] {});
        self = s.connect(slot);
        s.connect([] {});
    }
    s();
    CHECK(seen == "captured on the heap, and long enough");
    CHECK_FALSE(self.isConnected());
}

TEST_CASE("a small lambda that disconnects itself may still use its captures") {
    Signal<> s;
    struct Shared {
        Connection self;
        int number = 0;
    } shared;
    const auto slot = [&shared, number = 7]() mutable {
        CHECK(shared.self.disconnect());
        shared.number = ++number;
    };
    SUBCASE("alone") { shared.self = s.connect(slot); }
    SUBCASE("among others") {
        s.connect([] {});
        shared.self = s.connect(slot);
    }
    s();
    CHECK(shared.number == 8);
}

TEST_CASE("a slot that is disconnected before its turn does not run") {
    Three t;
    t.whenA() = [&] { t.made[2].disconnect(); };
    CHECK(t.emitted() == "AB");
    CHECK(t.emitted() == "AB");
}

TEST_CASE("disconnecting an earlier slot shows in the next emission") {
    Three t;
    t.whenB() = [&] { t.made[0].disconnect(); };
    CHECK(t.emitted() == "ABC");
    CHECK(t.emitted() == "BC");
}

TEST_CASE("a slot that is disconnected and connected anew in an emission waits for the next one") {
    Three t;
    t.whenA() = [&] {
        t.made[1].disconnect();
        t.made[1] = t.signal->connect(t.actors[1].get(), &Actor::act);
    };
    CHECK(t.emitted() == "AC");
    t.whenA() = nullptr;
    CHECK(t.emitted() == "ACB");
}

TEST_CASE("a slot that is connected in an emission first runs in the next one") {
    Three t;
    t.whenA() = [&] {
        t.whenA() = nullptr;
        t.signal->connect([&] { t.calls += 'D'; });
        CHECK(t.signal->connectionCount() == 4);
    };
    CHECK(t.emitted() == "ABC");
    CHECK(t.emitted() == "ABCD");
}

TEST_CASE("an only slot may connect others, which run from the next emission on") {
    Signal<> s;
    std::string calls;
    bool grow = true;
    s.connect([&] {
        calls += 'A';
        if (std::exchange(grow, false)) {
            s.connect([&] { calls += 'B'; });
            s.connect([&] { calls += 'C'; });
        }
    });
    s();
    CHECK(calls == "A");
    s();
    CHECK(calls == "AABC");
}

TEST_CASE("a nested emission calls what the outer one does not call yet") {
    Three t;
    t.whenA() = [&] {
        t.whenA() = nullptr;
        t.signal->connect([&] { t.calls += 'D'; });
        t.calls += '(';
        (*t.signal)();
        t.calls += ')';
    };
    CHECK(t.emitted() == "A(ABCD)BC");
    CHECK(t.emitted() == "ABCD");
}

TEST_CASE("a running lambda may connect a hundred others") {
    Signal<> s;
    int later = 0;
    std::string seen;
    bool grow = true;
    const auto slot = [&, word = std::string("still here after the list has grown")] {
        for (int i = 0; grow && i != 100; ++i)
            s.connect([&later] { ++later; });
        grow = false;
        seen = word;
    };
    SUBCASE("alone") { s.connect(slot); }
    SUBCASE("among others") {
        s.connect([] {});
        s.connect(slot);
        s.connect([] {});
    }
    s();
    CHECK(later == 0);
    CHECK(seen == "still here after the list has grown");
    s();
    CHECK(later == 100);
}

TEST_CASE("a list that grows in nested emissions stays whole for all of them") {
    Signal<int> s;
    int calls = 0;
    s.connect([&](int depth) {
        for (int i = 0; i != 5; ++i)
            s.connect([&](int) { ++calls; });
        if (depth != 0)
            s(depth - 1);
    });
    s.connect([&](int) { ++calls; });
    s(4); // the innermost finds 5 × 4 of the others, the outermost none
    CHECK(calls == 5 + 5 * (1 + 2 + 3 + 4));
    CHECK(s.connectionCount() == 2 + 5 * 5);
}

TEST_CASE("deleting the receiver of a later slot skips it") {
    Three t;
    t.whenA() = [&] { t.actors[2].reset(); };
    CHECK(t.emitted() == "AB");
    CHECK(t.emitted() == "AB");
    CHECK_FALSE(t.made[2].isConnected());
}

TEST_CASE("a slot may delete its own receiver") {
    Three t;
    t.whenB() = [&] { t.actors[1].reset(); };
    CHECK(t.emitted() == "ABC");
    CHECK(t.emitted() == "AC");
}

TEST_CASE("an only slot may delete its own receiver") {
    Signal<> s;
    std::string calls;
    auto actor = std::make_unique<Actor>('A', calls);
    s.connect(actor.get(), &Actor::act);
    actor->action = [&] { actor.reset(); };
    s();
    s();
    CHECK(calls == "A");
    CHECK(s.connectionCount() == 0);
}

TEST_CASE("a lambda may delete its context and then use its captures") {
    Signal<> s;
    std::string calls;
    std::string seen;
    auto context = std::make_unique<Actor>('X', calls);
    const auto slot = [&, word = std::string("outlives its context for this call")] {
        context.reset();
        seen = word;
    };
    SUBCASE("alone") { s.connect(context.get(), slot); }
    SUBCASE("among others") {
        s.connect([] {});
        s.connect(context.get(), slot);
        s.connect([] {});
    }
    s();
    s();
    CHECK(seen == "outlives its context for this call");
}

TEST_CASE("deleting the signal in a slot drops the rest of that emission") {
    Three t;
    t.whenB() = [&] { t.signal.reset(); };
    t.calls.clear();
    (*t.signal)();
    CHECK(t.calls == "AB");
    for (const Connection& each : t.made)
        CHECK_FALSE(each.isConnected());
}

TEST_CASE("an only slot may delete the signal") {
    auto s = std::make_unique<Signal<>>();
    std::string calls;
    Actor actor('A', calls);
    const Connection only = s->connect(&actor, &Actor::act);
    actor.action = [&] { s.reset(); };
    (*s)();
    CHECK(calls == "A");
    CHECK_FALSE(only.isConnected());
}

TEST_CASE("a lambda may delete the signal and then use its captures") {
    auto s = std::make_unique<Signal<>>();
    std::string seen;
    const auto slot = [&, word = std::string("outlives the signal for this call")] {
        s.reset();
        seen = word;
    };
    SUBCASE("alone") { s->connect(slot); }
    SUBCASE("among others") {
        s->connect([] {});
        s->connect(slot);
        s->connect([&] { seen = "never"; });
    }
    (*s)();
    CHECK(seen == "outlives the signal for this call");
}

TEST_CASE("a slot may delete the signal after it made its list grow") {
    auto s = std::make_unique<Signal<>>();
    int later = 0;
    s->connect([] {});
    s->connect([&] {
        for (int i = 0; i != 20; ++i)
            s->connect([&later] { ++later; });
        (*s).disconnectAll();
        s->connect([&later] { ++later; });
        s.reset();
    });
    (*s)();
    CHECK(later == 0);
}

TEST_CASE("deleting the signal in a nested emission drops the rest of all of them") {
    auto s = std::make_unique<Signal<int>>();
    std::vector<int> calls;
    s->connect([&](int depth) {
        calls.push_back(depth);
        if (depth == 0)
            s.reset();
        else
            (*s)(depth - 1);
    });
    SUBCASE("of an only slot") {}
    SUBCASE("of several") {
        s->connect([&](int) { calls.push_back(99); });
    }
    (*s)(3);
    CHECK(calls == std::vector<int>{3, 2, 1, 0});
}

TEST_CASE("emissions nest") {
    Three t;
    bool nested = false;
    t.whenA() = [&] {
        if (std::exchange(nested, true))
            return;
        t.calls += '(';
        (*t.signal)();
        t.calls += ')';
    };
    CHECK(t.emitted() == "A(ABC)BC");
    CHECK(t.emitted() == "ABC");
}

TEST_CASE("what a nested emission disconnects, the outer one does not call either") {
    Three t;
    int depth = 0;
    t.whenA() = [&] {
        if (++depth == 2) {
            t.made[1].disconnect();
            t.made[2].disconnect();
        } else if (depth == 1) {
            t.calls += '(';
            (*t.signal)();
            t.calls += ')';
        }
    };
    CHECK(t.emitted() == "A(A)");
    CHECK(t.emitted() == "A");
}

TEST_CASE("a slot may disconnect itself at the bottom of a hundred nested emissions") {
    Signal<> s;
    Connection self;
    int depth = 0;
    int completed = 0;
    int other = 0;
    const auto slot = [&, word = std::string("captured, and wanted on all hundred levels")] {
        if (++depth == 100)
            self.disconnect();
        else
            s();
        CHECK(word == "captured, and wanted on all hundred levels");
        ++completed;
    };
    SUBCASE("alone") { self = s.connect(slot); }
    SUBCASE("before another") {
        self = s.connect(slot);
        s.connect([&] { ++other; });
    }
    s();
    CHECK(completed == 100);
    CHECK((other == 0 || other == 100));
    s();
    CHECK(depth == 100);
}

TEST_CASE("a slot may disconnect itself deep down and its object be deleted after the emission") {
    auto sender = std::make_unique<Sender>();
    std::string calls;
    auto actor = std::make_unique<Actor>('A', calls);
    const std::array<Connection, 2> made{
        sender->one.connect(actor.get(),
                            [&](int n) { n == 0 ? void(sender->one.disconnect(actor.get())) : sender->one(n - 1); }),
        sender->one.connect(actor.get(), [&](int) { calls += 'x'; })};
    sender->one(100);
    CHECK(calls.empty());
    CHECK_FALSE(made[0].isConnected());
    CHECK_FALSE(made[1].isConnected());
    actor.reset();
    sender.reset();
}

TEST_CASE("an exception leaves through the emission, and the rest of it is skipped") {
    Three t;
    bool throws = true;
    t.whenB() = [&] {
        if (std::exchange(throws, false))
            throw Thrown();
    };
    t.calls.clear();
    CHECK_THROWS_AS((*t.signal)(), Thrown);
    CHECK(t.calls == "AB");
    CHECK(t.emitted() == "ABC");
}

TEST_CASE("an exception of an only slot leaves the connection whole") {
    Signal<> s;
    int calls = 0;
    Connection only = s.connect([&, word = std::string("captured and kept")] {
        ++calls;
        CHECK(word == "captured and kept");
        throw Thrown();
    });
    CHECK_THROWS_AS(s(), Thrown);
    CHECK_THROWS_AS(s(), Thrown);
    CHECK(calls == 2);
    CHECK(only.disconnect());
    s();
    CHECK(calls == 2);
}

TEST_CASE("an exception through nested emissions may be caught on any level") {
    Three t;
    int depth = 0;
    t.whenA() = [&] {
        if (++depth == 3)
            throw Thrown();
        if (depth == 1) {
            CHECK_THROWS_AS((*t.signal)(), Thrown);
        } else {
            (*t.signal)();
        }
    };
    CHECK(t.emitted() == "AAABC");
    t.whenA() = nullptr;
    CHECK(t.emitted() == "ABC");
}

TEST_CASE("a slot that throws may have changed everything before") {
    std::string calls;
    auto s = std::make_unique<Signal<>>();
    auto actor = std::make_unique<Actor>('A', calls);
    s->connect([] {});
    const Connection self = s->connect(actor.get(), &Actor::act);
    s->connect([&] { calls += 'B'; });

    SUBCASE("disconnected itself") {
        actor->action = [&] {
            s->disconnect(actor.get());
            throw Thrown();
        };
        CHECK_THROWS_AS((*s)(), Thrown);
        CHECK(s->connectionCount() == 2);
        (*s)();
        CHECK(calls == "AB");
    }
    SUBCASE("deleted its receiver") {
        actor->action = [&] {
            actor.reset();
            throw Thrown();
        };
        CHECK_THROWS_AS((*s)(), Thrown);
        (*s)();
        CHECK(calls == "AB");
    }
    SUBCASE("deleted the signal") {
        actor->action = [&] {
            s.reset();
            throw Thrown();
        };
        CHECK_THROWS_AS((*s)(), Thrown);
        CHECK(calls == "A");
    }
    SUBCASE("made the list grow") {
        actor->action = [&] {
            for (int i = 0; i != 50; ++i)
                s->connect([] {});
            throw Thrown();
        };
        CHECK_THROWS_AS((*s)(), Thrown);
        CHECK(s->connectionCount() == 53);
        actor->action = nullptr;
        (*s)();
        CHECK(calls == "AAB");
    }
    CHECK(self.isConnected() == (s != nullptr && s->connectionCount() == 53));
}

TEST_CASE("a signal may die before its receivers, and before the handles of its connections") {
    std::string calls;
    Actor actor('A', calls);
    Connection handle;
    {
        Signal<> s;
        handle = s.connect(&actor, &Actor::act);
        s.connect(&actor, &Actor::act);
        s();
    }
    CHECK(calls == "AA");
    CHECK_FALSE(handle.isConnected());
    CHECK_FALSE(handle.disconnect());
}

TEST_CASE("a blocked connection keeps its place and is not called") {
    Three t;
    t.made[1].setBlocked(true);
    CHECK(t.made[1].isBlocked());
    CHECK(t.made[1].isConnected());
    CHECK(t.signal->connectionCount() == 3);
    CHECK(t.emitted() == "AC");
    t.made[1].setBlocked(false);
    CHECK_FALSE(t.made[1].isBlocked());
    CHECK(t.emitted() == "ABC");
}

TEST_CASE("an only connection may be blocked") {
    Signal<> s;
    int calls = 0;
    Connection only = s.connect([&] { ++calls; });
    only.setBlocked(true);
    s();
    CHECK(calls == 0);
    s.connect([] {});
    s();
    CHECK(calls == 0);
    only.setBlocked(false);
    s();
    CHECK(calls == 1);
}

TEST_CASE("blocking in a slot holds from the next call on") {
    Three t;
    SUBCASE("of a later slot: in this emission") {
        t.whenA() = [&] { t.made[2].setBlocked(true); };
        CHECK(t.emitted() == "AB");
    }
    SUBCASE("of itself") {
        t.whenB() = [&] { t.made[1].setBlocked(true); };
        CHECK(t.emitted() == "ABC");
        CHECK(t.emitted() == "AC");
    }
    SUBCASE("and unblocking a later one too") {
        t.made[2].setBlocked(true);
        t.whenA() = [&] { t.made[2].setBlocked(false); };
        CHECK(t.emitted() == "ABC");
    }
}

TEST_CASE("a blocked connection ends like any other") {
    Three t;
    for (Connection& each : t.made)
        each.setBlocked(true);
    CHECK(t.made[0].disconnect());
    t.actors[1].reset();
    CHECK_FALSE(t.made[1].isBlocked());
    CHECK(t.signal->connectionCount() == 1);
    CHECK(t.emitted().empty());
    t.signal.reset();
    CHECK_FALSE(t.made[2].isConnected());
    t.made[2].setBlocked(false); // reaches nobody
    CHECK_FALSE(t.made[2].isBlocked());
}

TEST_CASE("an object whose signals are blocked reaches no slot") {
    Sender sender;
    std::string calls;
    sender.setSignalsBlocked(true); // before anything is connected
    CHECK(sender.signalsAreBlocked());
    sender.one(0);
    sender.one.connect([&](int) { calls += '1'; });
    sender.many.connect([&](int) { calls += 'a'; });
    sender.many.connect([&](int) { calls += 'b'; });
    sender.one(0);
    sender.many(0);
    CHECK(calls.empty());

    sender.setSignalsBlocked(false);
    sender.one(0);
    sender.many(0);
    CHECK(calls == "1ab");

    // The signal still knows its owner when it went from none to one to many and back.
    sender.many.disconnectAll();
    sender.one.disconnectAll();
    sender.setSignalsBlocked(true);
    sender.one.connect([&](int) { calls += '2'; });
    sender.many.connect([&](int) { calls += 'c'; });
    sender.one(0);
    sender.many(0);
    CHECK(calls == "1ab");
    sender.setSignalsBlocked(false);
    sender.one(0);
    sender.many(0);
    CHECK(calls == "1ab2c");
}

TEST_CASE("blocking an object's signals stops a relay that comes out of it, and not one that goes by") {
    Sender sender;
    Signal<int> before;
    Signal<int> after;
    std::string calls;
    before.connect(sender.one);
    before.connect([&](int) { calls += 'b'; });
    sender.one.connect(after);
    after.connect([&](int) { calls += 'a'; });
    before(0);
    CHECK(calls == "ab");
    sender.setSignalsBlocked(true);
    before(0);
    CHECK(calls == "abb");
    after(0);
    CHECK(calls == "abba");
}

TEST_CASE("the signals of a blocked receiver are its own affair: its slots run") {
    struct Both : Sender {
        void hear(int) { ++heard; }
        int heard = 0;
    };
    Both receiver;
    Signal<int> s;
    s.connect(&receiver, &Both::hear);
    receiver.setSignalsBlocked(true);
    s(1);
    CHECK(receiver.heard == 1);
}

TEST_CASE("a slot may delete the object whose signal is emitting") {
    auto sender = std::make_unique<Sender>();
    std::string calls;
    SUBCASE("as the only slot") {
        sender->one.connect([&](int) {
            calls += 'A';
            sender.reset();
        });
        sender->one(1);
        CHECK(calls == "A");
    }
    SUBCASE("among others") {
        sender->many.connect([&](int) { calls += 'A'; });
        sender->many.connect([&](int) {
            calls += 'B';
            sender.reset();
        });
        sender->many.connect([&](int) { calls += 'C'; });
        sender->many(1);
        CHECK(calls == "AB");
    }
    SUBCASE("which is its receiver as well") {
        struct Loner : Sender {
            void end(int) { delete this; }
        };
        auto* loner = new Loner;
        loner->many.connect(loner, &Loner::end);
        loner->many.connect([&](int) { calls += 'C'; });
        loner->many(1);
        CHECK(calls.empty());
    }
    SUBCASE("from the emission of another of its signals") {
        sender->many.connect([&](int n) { sender->one(n); });
        sender->many.connect([&](int) { calls += 'x'; });
        sender->one.connect([&](int) { sender.reset(); });
        sender->many(1);
        CHECK(calls.empty());
    }
}

TEST_CASE("a slot behind a relay may delete either signal, or both") {
    auto first = std::make_unique<Signal<>>();
    auto next = std::make_unique<Signal<>>();
    std::string calls;
    std::function<void()> action;
    bool withOthers = false;
    SUBCASE("alone") {}
    SUBCASE("among others") { withOthers = true; }
    if (withOthers)
        first->connect([&] { calls += 'a'; });
    first->connect(*next);
    next->connect([&] {
        calls += 'n';
        action();
    });
    if (withOthers) {
        next->connect([&] { calls += 'm'; });
        first->connect([&] { calls += 'z'; });
    }
    const auto emitted = [&] {
        (*first)();
        return calls;
    };

    SUBCASE("the first: the next one's emission goes on") {
        action = [&] { first.reset(); };
        CHECK(emitted() == (withOthers ? "anm" : "n"));
        CHECK(next->connectionCount() == (withOthers ? 2u : 1u));
    }
    SUBCASE("the next: the first one's emission goes on") {
        action = [&] { next.reset(); };
        CHECK(emitted() == (withOthers ? "anz" : "n"));
        CHECK(first->connectionCount() == (withOthers ? 2u : 0u));
    }
    SUBCASE("both, the first first") {
        action = [&] {
            first.reset();
            next.reset();
        };
        CHECK(emitted() == (withOthers ? "an" : "n"));
    }
    SUBCASE("both, the next first") {
        action = [&] {
            next.reset();
            first.reset();
        };
        CHECK(emitted() == (withOthers ? "an" : "n"));
    }
}

TEST_CASE("a relay may be connected and disconnected in an emission") {
    Signal<> first;
    Signal<> next;
    std::string calls;
    Connection relay;
    first.connect([&] { relay.disconnect(); });
    relay = first.connect(next);
    next.connect([&] { calls += 'n'; });
    first();
    CHECK(calls.empty());

    SUBCASE("a new relay waits for the next emission") {
        first.disconnectAll();
        first.connect([&] {
            if (!relay.isConnected())
                relay = first.connect(next);
        });
        first();
        CHECK(calls.empty());
        first();
        CHECK(calls == "n");
    }
    SUBCASE("a relay may be ended by the slot behind it") {
        relay = first.connect(next);
        first.connect([&] { calls += 'z'; });
        next.disconnectAll();
        next.connect([&] {
            calls += 'n';
            relay.disconnect();
        });
        first.disconnectAll();
        relay = first.connect(next);
        first();
        first();
        CHECK(calls == "n");
    }
}

TEST_CASE("a slot may disconnect everything") {
    Three t;
    t.whenA() = [&] {
        t.signal->disconnectAll();
        CHECK(t.signal->connectionCount() == 0);
        t.signal->connect([&] { t.calls += 'D'; });
    };
    CHECK(t.emitted() == "A");
    CHECK(t.emitted() == "D");
}

TEST_CASE("connecting and disconnecting at random places for long keeps list and order small and right") {
    Signal<int> s;
    std::vector<std::pair<int, Connection>> expected;
    std::vector<int> called;
    unsigned random = 1;
    for (int i = 0; i != 2000; ++i) {
        random = random * 1664525u + 1013904223u;
        if (expected.size() < 3 || (random >> 16) % 2 == 0) {
            expected.emplace_back(i, s.connect([&called, i](int) { called.push_back(i); }));
        } else {
            const auto at = expected.begin() + static_cast<std::ptrdiff_t>((random >> 8) % expected.size());
            CHECK(at->second.disconnect());
            expected.erase(at);
        }
        REQUIRE(s.connectionCount() == expected.size());
        if (i % 7 != 0)
            continue;
        called.clear();
        s(0);
        REQUIRE(called.size() == expected.size());
        for (std::size_t k = 0; k != called.size(); ++k)
            REQUIRE(called[k] == expected[k].first);
    }
}

TEST_CASE("when most connections end under a walk, it and those within it call the others, each once and in order") {
    constexpr int connections = 64;
    constexpr int kept = 10;
    Signal<int> changed;
    std::vector<Connection> all;
    std::vector<int> outer;
    std::vector<int> inner;
    const auto token = std::make_shared<int>();
    for (int i = 0; i != connections; ++i) {
        all.push_back(changed.connect([&, token, i](int depth) {
            (depth == 0 ? outer : inner).push_back(i);
            if (depth != 0 || i != connections / 2)
                return;
            for (int each = 0; each != connections; ++each)
                if (each % kept != 0)
                    all[static_cast<std::size_t>(each)].disconnect();
            changed(1);
            changed.connect([&](int within) { inner.push_back(within == 0 ? -1 : connections); });
            changed(1);
        }));
    }
    changed(0);
    std::vector<int> expected;
    for (int i = 0; i != connections; ++i)
        if (i <= connections / 2 || i % kept == 0)
            expected.push_back(i);
    CHECK(outer == expected);
    expected.clear();
    for (int round = 0; round != 2; ++round)
        for (int i = 0; i < connections; i += kept)
            expected.push_back(i);
    expected.push_back(connections);
    CHECK(inner == expected);
    CHECK(token.use_count() == 1 + (connections + kept - 1) / kept);
    CHECK(changed.connectionCount() == 1 + (connections + kept - 1) / kept);
}
