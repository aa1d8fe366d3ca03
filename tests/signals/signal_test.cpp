#include <halyard/signals/signal.h>

#include "misuse.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;

namespace {

using Ints = std::vector<int>;
using Words = std::vector<std::string>;

static_assert(sizeof(Signal<>) == 8);
static_assert(sizeof(Signal<int, const std::string&>) == 8);
static_assert(!std::is_copy_constructible_v<Signal<int>> && !std::is_copy_assignable_v<Signal<int>>);
static_assert(!std::is_move_constructible_v<Signal<int>> && !std::is_move_assignable_v<Signal<int>>);
static_assert(std::is_nothrow_default_constructible_v<Signal<int>>);
static_assert(std::is_nothrow_constructible_v<Signal<int>, Tracked*>);
static_assert(!std::is_convertible_v<Tracked*, Signal<int>>);
static_assert(std::is_nothrow_destructible_v<Signal<int>>);
static_assert(std::is_invocable_v<const Signal<int>&, int>);
static_assert(std::is_invocable_v<const Signal<std::string>&, const char*>);
static_assert(std::is_void_v<std::invoke_result_t<const Signal<int>&, int>>);

int freeSum = 0;
void addFreely(int n) { freeSum += n; }
void addFreelyToo(int n) noexcept { freeSum += 10 * n; }

struct Listener : Tracked {
    Listener() = default;
    virtual ~Listener() = default;
    void hear(int n) { heard.push_back(n); }
    void hearConst(int n) const { heard.push_back(n + 1); }
    void hearNoexcept(int n) noexcept { heard.push_back(n + 2); }
    void hearConstNoexcept(int n) const noexcept { heard.push_back(n + 3); }
    int hearAndAnswer(int n) {
        heard.push_back(n + 4);
        return n;
    }
    void hearNothing() { heard.push_back(-1); }
    void hearEither(int n) { heard.push_back(n); }
    void hearEither(const std::string& word) { words.push_back(word); }
    void hearWord(const std::string& word) { words.push_back(word); }
    void hearView(std::string_view word) { words.emplace_back(word); }
    virtual void hearVirtual(int n) { heard.push_back(n + 100); }
    static void hearStatically(int n) { freeSum += n; }

    mutable Ints heard;
    Words words;
};

struct LoudListener : Listener {
    void hearVirtual(int n) override { heard.push_back(n + 200); }
    void hearLoud(int n) { heard.push_back(n + 300); }
};

struct Mixin {
    void mixed(int n) { mix.push_back(n); }
    virtual void mixedVirtually(int n) { mix.push_back(-n); }
    virtual ~Mixin() = default;
    Ints mix;
};
struct MixedListener : Mixin, Listener {
    void mixedVirtually(int n) override { mix.push_back(1000 + n); }
};

/// An argument that tells how often it was copied and moved.
struct Traveller {
    Traveller() = default;
    Traveller(const Traveller&) { ++copies; }
    Traveller(Traveller&&) noexcept { ++moves; }
    Traveller& operator=(const Traveller&) = default;
    Traveller& operator=(Traveller&&) = default;
    ~Traveller() = default;

    static inline int copies = 0;
    static inline int moves = 0;
    static void reset() { copies = moves = 0; }
};

} // namespace

TEST_CASE("an emission without a slot does nothing") {
    const Signal<int, const std::string&> nobody;
    nobody(1, "one");
    CHECK(nobody.connectionCount() == 0);
}

TEST_CASE("slots run in the order in which they were connected") {
    Signal<> s;
    std::string order;
    std::vector<Connection> made;
    for (char name : {'a', 'b', 'c', 'd'})
        made.push_back(s.connect([&order, name] { order += name; }));
    s();
    CHECK(order == "abcd");
    CHECK(s.connectionCount() == 4);

    SUBCASE("and one that is connected anew goes to the end") {
        order.clear();
        CHECK(made[1].disconnect());
        s.connect([&order] { order += 'b'; });
        s();
        CHECK(order == "acdb");
    }
    SUBCASE("which stays so through many changes") {
        for (int i = 0; i != 100; ++i) {
            s.connect([] {}).disconnect();
            made[static_cast<std::size_t>(i) % 4].disconnect();
            const auto name = static_cast<char>('a' + i % 4);
            made[static_cast<std::size_t>(i) % 4] = s.connect([&order, name] { order += name; });
            order.clear();
            s();
            const std::array<std::string, 4> rotated{"bcda", "cdab", "dabc", "abcd"};
            CHECK(order == rotated[static_cast<std::size_t>(i) % 4]);
        }
        CHECK(s.connectionCount() == 4);
    }
}

TEST_CASE("a hundred slots run in order, each of them once") {
    Signal<> s;
    Ints order;
    for (int i = 0; i != 100; ++i)
        s.connect([&order, i] { order.push_back(i); });
    s();
    REQUIRE(order.size() == 100);
    for (int i = 0; i != 100; ++i)
        CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a slot may be a lambda, a function, a function object or a std::function") {
    Signal<int> s;
    freeSum = 0;

    SUBCASE("a lambda") {
        s.connect([](int n) { freeSum += n; });
        s(3);
        CHECK(freeSum == 3);
    }
    SUBCASE("a function") {
        s.connect(addFreely);
        s.connect(&addFreelyToo);
        s.connect(&Listener::hearStatically);
        s(3);
        CHECK(freeSum == 36);
    }
    SUBCASE("a std::function") {
        const std::function<void(int)> slot = addFreely;
        s.connect(slot);
        s.connect(std::function<void()>([] { freeSum += 100; }));
        s(3);
        CHECK(freeSum == 103);
    }
    SUBCASE("a function object that is big") {
        std::array<int, 100> big{};
        big[99] = 7;
        s.connect([big](int n) { freeSum += big[99] * n; });
        s(3);
        CHECK(freeSum == 21);
    }
    SUBCASE("a function object that needs more than the usual alignment") {
        struct alignas(64) Aligned {
            void operator()(int n) const {
                CHECK(reinterpret_cast<std::uintptr_t>(this) % 64 == 0);
                freeSum += n;
            }
        };
        s.connect(Aligned{});
        s(3);
        CHECK(freeSum == 3);
    }
    SUBCASE("a function object that can only be moved") {
        s.connect([owned = std::make_unique<int>(5)](int n) { freeSum += *owned * n; });
        s(3);
        CHECK(freeSum == 15);
    }
    SUBCASE("a function object by reference") {
        auto counter = [calls = 0](int) mutable { return ++calls; };
        s.connect(std::ref(counter));
        s(3);
        s(3);
        CHECK(counter(3) == 3);
    }
    SUBCASE("a generic lambda") {
        s.connect([](const auto& n) { freeSum += static_cast<int>(n); });
        s.connect([](auto... all) { freeSum += 10 * (all + ... + 0); });
        s(3);
        CHECK(freeSum == 33);
    }
    SUBCASE("bound arguments") {
        s.connect(std::bind(addFreely, std::placeholders::_1));
        s(3);
        CHECK(freeSum == 3);
    }
}

TEST_CASE("a mutable lambda keeps its state from call to call") {
    Signal<> s;
    int last = 0;
    SUBCASE("a small one") {
        s.connect([&last, n = 0]() mutable { last = ++n; });
    }
    SUBCASE("a big one") {
        s.connect([&last, n = 0, ballast = std::string("kept")]() mutable {
            last = ++n;
            CHECK(ballast == "kept");
        });
    }
    s();
    s();
    // Growing from one connection to many must not lose it.
    s.connect([] {});
    s();
    CHECK(last == 3);
}

TEST_CASE("what a slot returns is not looked at") {
    Signal<int> s;
    Listener listener;
    s.connect([](int n) { return std::string(static_cast<std::size_t>(n), 'x'); });
    s.connect(&listener, &Listener::hearAndAnswer);
    s(2);
    CHECK(listener.heard == Ints{6});
}

TEST_CASE("a slot may be any member function of a tracked object") {
    Signal<int> s;
    LoudListener listener;
    s.connect(&listener, &Listener::hear);
    s.connect(&listener, &Listener::hearConst);
    s.connect(&listener, &Listener::hearNoexcept);
    s.connect(&listener, &Listener::hearConstNoexcept);
    s.connect(&listener, &Listener::hearVirtual);
    s.connect(&listener, &LoudListener::hearVirtual);
    s.connect(&listener, &LoudListener::hearLoud);
    s.connect(&listener, &LoudListener::hear);
    s.connect(&listener, &Listener::hearNothing);
    s.connect(&listener, static_cast<void (Listener::*)(int)>(&Listener::hearEither));
    s(10);
    CHECK(listener.heard == Ints{10, 11, 12, 13, 210, 210, 310, 10, -1, 10});
}

TEST_CASE("an overloaded member function is chosen by a cast") {
    Signal<const std::string&> s;
    Listener listener;
    s.connect(&listener, static_cast<void (Listener::*)(const std::string&)>(&Listener::hearEither));
    s("word");
    CHECK(listener.words == Words{"word"});
    CHECK(listener.heard.empty());
}

namespace {

struct Label {
    virtual ~Label() = default;
    void show(int n) { shown.push_back(n); }
    virtual void count(int n) { counted += n; }
    std::vector<int> shown;
    int counted = 0;
};
struct Dial : Tracked, Label {
    void count(int n) override { counted += 10 * n; }
};

} // namespace

TEST_CASE("a member function of a second base may be named as one of the derived class") {
    const auto show = static_cast<void (Dial::*)(int)>(&Label::show);
    const auto count = static_cast<void (Dial::*)(int)>(&Label::count);
    Signal<int> s;
    Dial dial;
    Dial other;
    CHECK(s.connect(&dial, show, ConnectionType::Unique).isConnected());
    CHECK(s.connect(&dial, count, ConnectionType::Unique).isConnected());
    CHECK(s.connect(&other, show).isConnected());
    s(1);
    CHECK(dial.shown == std::vector{1});
    CHECK(dial.counted == 10);
    CHECK(other.shown == std::vector{1});

    CHECK_FALSE(s.connect(&dial, show, ConnectionType::Unique).isConnected());
    CHECK_FALSE(s.connect(&dial, count, ConnectionType::Unique).isConnected());
    CHECK(s.connect(&other, count, ConnectionType::Unique | ConnectionType::SingleShot).isConnected());
    CHECK(s.disconnect(&dial, show) == 1);
    s(2);
    s(3);
    CHECK(dial.shown == std::vector{1});
    CHECK(dial.counted == 60);
    CHECK(other.shown == std::vector{1, 2, 3});
    CHECK(other.counted == 20);
}

TEST_CASE("connections that come one by one are called in their order, however many they are") {
    struct Counter : Tracked {
        void add(int n) { calls += n; }
        int calls = 0;
    };
    for (int many = 1; many != 40; ++many) {
        Signal<int> s;
        std::vector<int> order;
        std::vector<std::unique_ptr<Counter>> counters;
        for (int i = 0; i != many; ++i) {
            counters.push_back(std::make_unique<Counter>());
            s.connect(counters.back().get(), [&order, i] { order.push_back(i); });
            s.connect(counters.back().get(), &Counter::add);
        }
        s(1);
        CHECK(order.size() == counters.size());
        CHECK(std::is_sorted(order.begin(), order.end()));
        CHECK(std::all_of(counters.begin(), counters.end(), [](const auto& each) { return each->calls == 1; }));
        counters.erase(counters.begin(), counters.begin() + many / 2);
        CHECK(s.connectionCount() == 2 * counters.size());
    }
}

TEST_CASE("a member function of another base is called on that base") {
    Signal<int> s;
    MixedListener listener;
    s.connect(&listener, &Mixin::mixed);
    s.connect(&listener, &MixedListener::mixed);
    s.connect(&listener, &Mixin::mixedVirtually);
    s.connect(&listener, &MixedListener::hear);
    s(1);
    CHECK(listener.mix == Ints{1, 1, 1001});
    CHECK(listener.heard == Ints{1});
    CHECK(s.disconnect(&listener, &Mixin::mixed) == 2);
    CHECK(s.disconnect(&listener, &MixedListener::mixedVirtually) == 0);
    CHECK(s.disconnect(&listener, &Mixin::mixedVirtually) == 1);
    CHECK(s.connectionCount() == 1);
}

TEST_CASE("a slot may take only the first few arguments") {
    Signal<int, const std::string&, double> s;
    Listener listener;
    Words calls;
    s.connect([&] { calls.push_back("none"); });
    s.connect([&](int n) { calls.push_back("one " + std::to_string(n)); });
    s.connect([&](int n, const std::string& word) { calls.push_back("two " + std::to_string(n) + word); });
    s.connect([&](int n, const std::string& word, double d) {
        calls.push_back("three " + std::to_string(n) + word + std::to_string(static_cast<int>(d)));
    });
    s.connect([&](int n, const std::string& word = "default") { calls.push_back(std::to_string(n) + word); });
    s.connect(&listener, &Listener::hear);
    s.connect(&listener, &Listener::hearNothing);
    s.connect(&listener, [&](int n) { calls.push_back("in context " + std::to_string(n)); });
    s(1, "x", 2.0);
    CHECK(calls == Words{"none", "one 1", "two 1x", "three 1x2", "1x", "in context 1"});
    CHECK(listener.heard == Ints{1, -1});
}

TEST_CASE("a slot that could take more or fewer is given as many as it can take") {
    struct Overloaded {
        std::size_t* given;
        void operator()() const { *given = 0; }
        void operator()(int) const { *given = 1; }
        void operator()(int, int) const { *given = 2; }
    };
    std::size_t given = 9;
    Signal<int> one;
    Signal<int, int, int> three;
    one.connect(Overloaded{&given});
    three.connect(Overloaded{&given});
    one(1);
    CHECK(given == 1);
    three(1, 2, 3);
    CHECK(given == 2);
}

TEST_CASE("arguments convert to what the slot takes") {
    Signal<int, const char*> s;
    Listener listener;
    double seen = 0;
    std::string word;
    s.connect([&](double d, std::string text) {
        seen = d;
        word = std::move(text);
    });
    s.connect([&](long n) { seen += static_cast<double>(n); });
    s(4, "text");
    CHECK(seen == 8.0);
    CHECK(word == "text");

    Signal<std::string> words;
    words.connect(&listener, &Listener::hearView);
    words.connect(&listener, &Listener::hearWord);
    words("from a literal");
    CHECK(listener.words == Words{"from a literal", "from a literal"});
}

TEST_CASE("an emission copies only what a slot takes by value") {
    Listener context;
    Traveller traveller;

    SUBCASE("with a signal that carries a const reference") {
        Signal<const Traveller&> s;
        Traveller::reset();
        s.connect([](const Traveller&) {});
        s.connect(&context, [](const Traveller&) {});
        s.connect([] {});
        s(traveller);
        CHECK(Traveller::copies == 0);
        s.connect([](Traveller) {});
        s(traveller);
        CHECK(Traveller::copies == 1);
        CHECK(Traveller::moves == 0);
    }
    SUBCASE("with a signal that carries a value") {
        Signal<Traveller> s;
        Traveller::reset();
        s.connect([](const Traveller&) {});
        s(traveller);
        CHECK(Traveller::copies == 0);
        s.connect([](Traveller) {});
        s.connect(&context, [](Traveller) {});
        s(traveller);
        CHECK(Traveller::copies == 2);
        CHECK(Traveller::moves == 0);
    }
    SUBCASE("through relays too") {
        Signal<const Traveller&> first;
        Signal<Traveller> second;
        Signal<const Traveller&> third;
        Traveller::reset();
        first.connect(second);
        second.connect(third);
        third.connect([](const Traveller&) {});
        first(traveller);
        CHECK(Traveller::copies == 0);
    }
}

TEST_CASE("a const reference reaches the slot as the object that was emitted") {
    Signal<const std::string&> s;
    const std::string word = "here";
    const std::string* seen = nullptr;
    s.connect([&](const std::string& given) { seen = &given; });
    s(word);
    CHECK(seen == &word);
}

TEST_CASE("an argument that cannot be copied reaches direct slots by reference") {
    int seen = 0;
    SUBCASE("one that owns") {
        Signal<std::unique_ptr<int>> s;
        s.connect([&](const std::unique_ptr<int>& p) { seen += *p; });
        s.connect([&](const std::unique_ptr<int>& p) { seen += *p; });
        s(std::make_unique<int>(4));
        CHECK(seen == 8);
    }
    SUBCASE("one that is small and trivial otherwise") {
        struct Ticket {
            explicit Ticket(int n) : number(n) {}
            Ticket(const Ticket&) = delete;
            Ticket(Ticket&&) = default;
            Ticket& operator=(const Ticket&) = delete;
            Ticket& operator=(Ticket&&) = default;
            ~Ticket() = default;
            int number;
        };
        Signal<Ticket> s;
        s.connect([&](const Ticket& ticket) { seen += ticket.number; });
        s.connect([&](const Ticket& ticket) { seen += ticket.number; });
        s(Ticket(4));
        CHECK(seen == 8);
    }
    SUBCASE("one that is abstract") {
        struct Shape {
            Shape() = default;
            Shape(const Shape&) = delete;
            Shape& operator=(const Shape&) = delete;
            virtual ~Shape() = default;
            virtual int sides() const = 0;
        };
        struct Triangle : Shape {
            int sides() const override { return 3; }
        };
        Signal<const Shape&> s;
        s.connect([&](const Shape& shape) { seen = shape.sides(); });
        s(Triangle());
        CHECK(seen == 3);
    }
}

TEST_CASE("a slot cannot change the argument of the next one") {
    Signal<int, std::string> s;
    Ints seen;
    s.connect([](int n) { ++n; });
    s.connect([&](int n, std::string word) {
        seen.push_back(n);
        word.clear();
    });
    s.connect([&](int n, const std::string& word) {
        seen.push_back(n);
        CHECK(word == "whole");
    });
    s(1, "whole");
    CHECK(seen == Ints{1, 1});
}

TEST_CASE("the same slot connected twice is called twice, and one disconnect ends both") {
    Signal<int> s;
    Listener listener;
    s.connect(&listener, &Listener::hear);
    s.connect(&listener, &Listener::hear);
    s(1);
    CHECK(listener.heard == Ints{1, 1});
    CHECK(s.disconnect(&listener, &Listener::hear) == 2);
    CHECK(s.disconnect(&listener, &Listener::hear) == 0);
    s(2);
    CHECK(listener.heard == Ints{1, 1});
}

TEST_CASE("disconnecting says how many connections ended") {
    Signal<int> s;
    Listener one;
    LoudListener two;
    int plain = 0;
    s.connect(&one, &Listener::hear);
    s.connect(&one, &Listener::hearConst);
    s.connect(&one, [&](int n) { plain += n; });
    s.connect(&two, &Listener::hear);
    s.connect([&](int n) { plain += n; });
    s.connect(&two, &Listener::hearVirtual);

    SUBCASE("those to a receiver, whatever the slot") {
        CHECK(s.disconnect(&one) == 3);
        CHECK(s.disconnect(&one) == 0);
        CHECK(s.connectionCount() == 3);
        s(1);
        CHECK(one.heard.empty());
        CHECK(two.heard == Ints{1, 201});
        CHECK(plain == 1);
    }
    SUBCASE("those of one member function to a receiver") {
        CHECK(s.disconnect(&two, &Listener::hear) == 1);
        CHECK(s.disconnect(&two, &Listener::hearConst) == 0);
        s(1);
        CHECK(two.heard == Ints{201});
        CHECK(one.heard == Ints{1, 2});
    }
    SUBCASE("all of them") {
        s.disconnectAll();
        CHECK(s.connectionCount() == 0);
        s(1);
        CHECK(one.heard.empty());
        CHECK(plain == 0);
        s.connect(&one, &Listener::hear);
        s(2);
        CHECK(one.heard == Ints{2});
    }
    SUBCASE("those to nobody, which are none") {
        CHECK(s.disconnect(nullptr) == 0);
        CHECK(s.disconnect(static_cast<Listener*>(nullptr), &Listener::hear) == 0);
        CHECK(s.connectionCount() == 6);
    }
}

TEST_CASE("disconnecting works alike while there is but one connection") {
    Signal<int> s;
    Listener one;
    Listener two;
    s.connect(&one, &Listener::hear);
    CHECK(s.connectionCount() == 1);
    CHECK(s.disconnect(&two) == 0);
    CHECK(s.disconnect(&one, &Listener::hearConst) == 0);
    CHECK(s.disconnect(nullptr) == 0);
    CHECK(s.connectionCount() == 1);
    CHECK(s.disconnect(&one, &Listener::hear) == 1);
    CHECK(s.connectionCount() == 0);

    s.connect(&one, &Listener::hear);
    CHECK(s.disconnect(&one) == 1);
    s.connect([](int) {});
    CHECK(s.disconnect(nullptr) == 0);
    CHECK(s.connectionCount() == 1);
    s.disconnectAll();
    CHECK(s.connectionCount() == 0);
    s.disconnectAll();
}

TEST_CASE("a member slot is the same through whichever class it is named") {
    Signal<int> s;
    LoudListener listener;
    Listener* const asBase = &listener;

    s.connect(&listener, &LoudListener::hear);
    CHECK(s.disconnect(&listener, &Listener::hear) == 1);
    s.connect(asBase, &Listener::hear);
    CHECK(s.disconnect(&listener, &LoudListener::hear) == 1);
    s.connect(&listener, &Listener::hear);
    CHECK(s.disconnect(asBase, &Listener::hear) == 1);
    CHECK(s.connectionCount() == 0);
}

TEST_CASE("two objects of one class are told apart, and so are two slots of one object") {
    Signal<int> s;
    Listener one;
    Listener two;
    s.connect(&one, &Listener::hear);
    s.connect(&two, &Listener::hear);
    s.connect(&two, &Listener::hearVirtual);
    CHECK(s.disconnect(&one, &Listener::hear) == 1);
    s(1);
    CHECK(one.heard.empty());
    CHECK(two.heard == Ints{1, 101});
    CHECK(s.disconnect(&two, &Listener::hearVirtual) == 1);
    CHECK(s.connectionCount() == 1);
}

TEST_CASE("a connection with a context ends with the context") {
    Signal<int> s;
    Ints seen;
    auto context = std::make_unique<Listener>();
    const Connection first = s.connect(context.get(), [&](int n) { seen.push_back(n); });
    const Connection second = s.connect(context.get(), &Listener::hear);
    const Connection third = s.connect([&](int n) { seen.push_back(10 * n); });
    s(1);
    context.reset();
    CHECK_FALSE(first.isConnected());
    CHECK_FALSE(second.isConnected());
    CHECK(third.isConnected());
    CHECK(s.connectionCount() == 1);
    s(2);
    CHECK(seen == Ints{1, 10, 20});
}

TEST_CASE("connecting to nobody, or to no slot, is refused with a sentence") {
    const Misuse misuse;
    Signal<int> s;
    Listener listener;
    const Words noReceiver{"connect: there is no receiver"};
    const Words noSlot{"connect: there is no slot"};

    CHECK_FALSE(s.connect(static_cast<Listener*>(nullptr), &Listener::hear).isConnected());
    CHECK(misuse.sentences() == noReceiver);
    CHECK_FALSE(s.connect(nullptr, [](int) {}).isConnected());
    CHECK(misuse.sentences() == noReceiver);
    CHECK_FALSE(s.connect(&listener, static_cast<void (Listener::*)(int)>(nullptr)).isConnected());
    CHECK(misuse.sentences() == noSlot);
    CHECK_FALSE(s.connect(static_cast<void (*)(int)>(nullptr)).isConnected());
    CHECK(misuse.sentences() == noSlot);
    CHECK_FALSE(s.connect(&listener, static_cast<void (*)(int)>(nullptr)).isConnected());
    CHECK(misuse.sentences() == noSlot);
    CHECK_FALSE(s.connect(std::function<void(int)>()).isConnected());
    CHECK(misuse.sentences() == noSlot);
    CHECK(s.connectionCount() == 0);
    s(1);
    CHECK(listener.heard.empty());
}

TEST_CASE("a refused slot is destroyed") {
    const Misuse misuse;
    Signal<> s;
    const auto held = std::make_shared<int>(1);
    CHECK_FALSE(s.connect(nullptr, [held] {}).isConnected());
    CHECK(held.use_count() == 1);
    CHECK(misuse.sentences().size() == 1);
}

TEST_CASE("a slot whose copying throws leaves the signal as it was") {
    struct Fragile {
        Fragile() = default;
        Fragile(const Fragile&) { throw 1; }
        Fragile& operator=(const Fragile&) = delete;
        ~Fragile() = default;
        void operator()() const {}
    };
    Signal<> s;
    const Fragile fragile;
    CHECK_THROWS_AS(s.connect(fragile), int);
    CHECK(s.connectionCount() == 0);
    s();
    s.connect([] {});
    CHECK_THROWS_AS(s.connect(fragile), int);
    CHECK(s.connectionCount() == 1);
}

TEST_CASE("a signal relays to another one") {
    Signal<int, const std::string&> first;
    Ints seen;

    SUBCASE("with the same arguments, fewer, or ones that convert") {
        Signal<int, const std::string&> same;
        Signal<int> fewer;
        Signal<double> converted;
        Signal<> none;
        same.connect([&](int n, const std::string& word) { seen.push_back(n + static_cast<int>(word.size())); });
        fewer.connect([&](int n) { seen.push_back(n); });
        converted.connect([&](double d) { seen.push_back(static_cast<int>(d * 10)); });
        none.connect([&] { seen.push_back(0); });
        first.connect(same);
        first.connect(fewer);
        first.connect(converted);
        first.connect(none);
        CHECK(first.connectionCount() == 4);
        first(5, "xx");
        CHECK(seen == Ints{7, 5, 50, 0});
    }
    SUBCASE("in its place among the slots") {
        Signal<int> next;
        first.connect([&](int) { seen.push_back(1); });
        first.connect(next);
        first.connect([&](int) { seen.push_back(3); });
        next.connect([&](int) { seen.push_back(2); });
        first(0, "");
        CHECK(seen == Ints{1, 2, 3});
    }
    SUBCASE("which may relay further") {
        Signal<int> second;
        Signal<int> third;
        first.connect(second);
        second.connect(third);
        third.connect([&](int n) { seen.push_back(n); });
        first(6, "");
        CHECK(seen == Ints{6});
    }
    SUBCASE("as often as they were connected, until the handle ends it") {
        Signal<int> next;
        next.connect([&](int n) { seen.push_back(n); });
        Connection once = first.connect(next);
        first.connect(next);
        first(1, "");
        CHECK(seen == Ints{1, 1});
        CHECK(once.disconnect());
        first(2, "");
        CHECK(seen == Ints{1, 1, 2});
        CHECK(next.connectionCount() == 1);
    }
}

TEST_CASE("a relay ends with either signal") {
    auto first = std::make_unique<Signal<int>>();
    auto next = std::make_unique<Signal<int>>();
    int calls = 0;
    next->connect([&](int) { ++calls; });

    SUBCASE("the next one") {
        const Connection relay = first->connect(*next);
        next.reset();
        CHECK_FALSE(relay.isConnected());
        CHECK(first->connectionCount() == 0);
        (*first)(1);
        CHECK(calls == 0);
    }
    SUBCASE("the next one, which has no slot") {
        Signal<int> other;
        auto bare = std::make_unique<Signal<int>>();
        const Connection relay = first->connect(*bare);
        const Connection another = other.connect(*bare);
        bare.reset();
        CHECK_FALSE(relay.isConnected());
        CHECK_FALSE(another.isConnected());
        (*first)(1);
        other(1);
    }
    SUBCASE("the first one") {
        const Connection relay = first->connect(*next);
        first.reset();
        CHECK_FALSE(relay.isConnected());
        CHECK(next->connectionCount() == 1);
        (*next)(1);
        CHECK(calls == 1);
        next.reset();
    }
    SUBCASE("in the middle of others") {
        Ints seen;
        first->connect([&](int) { seen.push_back(1); });
        first->connect(*next);
        first->connect([&](int) { seen.push_back(3); });
        next.reset();
        (*first)(1);
        CHECK(seen == Ints{1, 3});
        CHECK(first->connectionCount() == 2);
    }
}

TEST_CASE("a disconnected relay leaves the next signal usable") {
    Signal<int> first;
    Signal<int> next;
    int calls = 0;
    Connection relay = first.connect(next);
    CHECK(relay.disconnect());
    CHECK(next.connectionCount() == 0);
    next(1);
    next.connect([&](int) { ++calls; });
    next(1);
    first(1);
    CHECK(calls == 1);
}

TEST_CASE("a signal that feeds itself is as good as a slot that emits it") {
    Signal<> s;
    int calls = 0;
    Connection loop;
    s.connect([&] {
        if (++calls == 10)
            loop.disconnect();
    });
    loop = s.connect(s);
    s();
    CHECK(calls == 10);
    CHECK(s.connectionCount() == 1);
}

TEST_CASE("a signal without an owner and one with an owner work alike") {
    Listener owner;
    Signal<int> free;
    Signal<int> owned{&owner};
    Listener listener;
    for (Signal<int>* s : {&free, &owned}) {
        s->connect(&listener, &Listener::hear);
        (*s)(1);
        CHECK(s->disconnect(&listener) == 1);
        s->connect(&listener, &Listener::hear);
        s->connect(&listener, &Listener::hear);
        (*s)(2);
        s->disconnectAll();
        (*s)(3);
    }
    CHECK(listener.heard == Ints{1, 2, 2, 1, 2, 2});
}
