#include <halyard/signals/tracked.h>

#include <halyard/signals/pointer.h>
#include <halyard/signals/signal.h>

#include "manual_executor.h"
#include "misuse.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;

namespace {

struct Listener : Tracked {
    using Tracked::clearPointers;
    using Tracked::endConnections;
    void hear() { ++heard; }
    int heard = 0;
};
struct LoudListener : Listener {};

static_assert(!std::is_copy_constructible_v<Listener> && !std::is_copy_assignable_v<Listener>);
static_assert(!std::is_move_constructible_v<Listener> && !std::is_move_assignable_v<Listener>);
static_assert(!std::is_default_constructible_v<Tracked>, "it is a base and nothing else");
static_assert(!std::is_destructible_v<Tracked>);
static_assert(!std::is_polymorphic_v<Tracked>, "what needs no virtual function has no table");
static_assert(std::is_nothrow_default_constructible_v<Listener>);
static_assert(sizeof(Tracked) <= 4 * sizeof(void*));

static_assert(sizeof(Pointer<Listener>) == 3 * sizeof(void*));
static_assert(std::is_nothrow_default_constructible_v<Pointer<Listener>>);
static_assert(std::is_nothrow_copy_constructible_v<Pointer<Listener>>);
static_assert(std::is_nothrow_copy_assignable_v<Pointer<Listener>>);
static_assert(std::is_nothrow_move_constructible_v<Pointer<Listener>>);
static_assert(std::is_nothrow_convertible_v<Listener*, Pointer<Listener>>);
static_assert(!std::is_convertible_v<Pointer<Listener>, bool>);

/// Looks at a guarded pointer to itself while it dies.
struct Witness : Tracked {
    explicit Witness(std::string& log) : words(log) {}
    ~Witness() { words += *self ? "pointer, " : "null, "; }
    std::string& words;
    Pointer<Witness>* self = nullptr;
};

} // namespace

TEST_CASE("a receiver that dies ends all its connections") {
    Signal<> one;
    Signal<> two;
    auto listener = std::make_unique<Listener>();
    for (int i = 0; i != 30; ++i) {
        one.connect(listener.get(), &Listener::hear);
        two.connect(listener.get(), [] {});
        two.connect([] {});
    }
    listener.reset();
    CHECK(one.connectionCount() == 0);
    CHECK(two.connectionCount() == 30);
    one();
    two();
}

TEST_CASE("a receiver may die after all signals it was connected to") {
    Listener listener;
    for (int i = 0; i != 3; ++i) {
        Signal<> s;
        for (int k = 0; k <= i; ++k)
            s.connect(&listener, &Listener::hear);
        s();
    }
    CHECK(listener.heard == 6);
}

TEST_CASE("an object can end the connections into it before it dies") {
    Signal<> s;
    Listener listener;
    const Connection one = s.connect(&listener, &Listener::hear);
    s.connect([] {});
    const Connection two = s.connect(&listener, [] {});
    listener.endConnections();
    CHECK_FALSE(one.isConnected());
    CHECK_FALSE(two.isConnected());
    CHECK(s.connectionCount() == 1);
    s();
    CHECK(listener.heard == 0);
    listener.endConnections();

    s.connect(&listener, &Listener::hear); // it lives, and may be connected again
    s();
    CHECK(listener.heard == 1);
}

TEST_CASE("an object may end its connections in its own slot") {
    Signal<> s;
    Listener listener;
    int calls = 0;
    s.connect(&listener, [&] {
        ++calls;
        listener.endConnections();
    });
    s.connect(&listener, &Listener::hear);
    s();
    s();
    CHECK(calls == 1);
    CHECK(listener.heard == 0);
}

TEST_CASE("an object has the executor that its thread has, whichever came first") {
    const Listener before;
    CHECK(before.executor() == nullptr);
    {
        ManualExecutor executor;
        const Listener within;
        CHECK(within.executor() == &executor);
        CHECK(before.executor() == &executor);
    }
    CHECK(before.executor() == nullptr);
    CHECK(before.livesHere());
    std::thread([&] { CHECK_FALSE(before.livesHere()); }).join();
}

TEST_CASE("a guarded pointer is null once its object is gone") {
    auto listener = std::make_unique<Listener>();
    const Pointer<Listener> pointer = listener.get();
    CHECK(pointer);
    CHECK(pointer.get() == listener.get());
    CHECK(pointer->heard == 0);
    CHECK(&*pointer == listener.get());
    listener.reset();
    CHECK_FALSE(pointer);
    CHECK(pointer.get() == nullptr);
    CHECK(pointer == nullptr);
}

TEST_CASE("a guarded pointer may go before its object") {
    Listener listener;
    { const Pointer<Listener> pointer = &listener; }
    auto first = std::make_unique<Pointer<Listener>>(&listener);
    auto second = std::make_unique<Pointer<Listener>>(&listener);
    auto third = std::make_unique<Pointer<Listener>>(&listener);
    second.reset();
    third.reset();
    CHECK(first->get() == &listener);
    first.reset();
}

TEST_CASE("guarded pointers are copied, assigned and compared like plain ones") {
    auto one = std::make_unique<Listener>();
    auto two = std::make_unique<LoudListener>();
    Pointer<Listener> none;
    Pointer<Listener> first = one.get();
    Pointer<Listener> copy = first;
    Pointer<Listener> moved = std::move(copy);
    CHECK_FALSE(none);
    CHECK(first == moved);
    CHECK(first == one.get());
    CHECK(first != none);
    CHECK(none == nullptr);

    Pointer<Listener>& same = first;
    first = same;
    CHECK(first.get() == one.get());
    first = moved; // to what it has already
    CHECK(first.get() == one.get());
    first = two.get();
    CHECK(first == two.get());
    CHECK(first != moved);

    const Pointer<LoudListener> loud = two.get();
    Pointer<Listener> asItsBase = loud;
    CHECK(asItsBase == two.get());
    asItsBase = loud;
    const Listener* const plain = asItsBase;
    CHECK(plain == two.get());

    one.reset();
    CHECK_FALSE(moved);
    CHECK(first.get() == two.get());
    first = nullptr;
    CHECK_FALSE(first);
    first = two.get();
    first.clear();
    first.clear();
    CHECK(first.get() == nullptr);
    moved = two.get();
    two.reset();
    CHECK_FALSE(moved);
}

TEST_CASE("a thousand guarded pointers to one object are null at once") {
    auto listener = std::make_unique<Listener>();
    std::vector<Pointer<Listener>> all;
    for (int i = 0; i != 1000; ++i)
        all.emplace_back(listener.get()); // moves them about, too
    all.erase(all.begin() + 100, all.begin() + 300);
    for (const Pointer<Listener>& each : all)
        REQUIRE(each.get() == listener.get());
    listener.reset();
    for (const Pointer<Listener>& each : all)
        REQUIRE_FALSE(each);
}

TEST_CASE("an object can make its guarded pointers null before it dies") {
    Listener listener;
    const Pointer<Listener> pointer = &listener;
    listener.clearPointers();
    CHECK_FALSE(pointer);
    const Pointer<Listener> again = &listener;
    CHECK(again);
}

TEST_CASE("a guarded pointer lasts through the destructor of the derived part") {
    std::string words;
    auto witness = std::make_unique<Witness>(words);
    Pointer<Witness> pointer = witness.get();
    witness->self = &pointer;
    witness.reset();
    CHECK(words == "pointer, ");
    CHECK_FALSE(pointer);
}

TEST_CASE("guarded pointers are null before the object's connections end") {
    struct OnEnd {
        OnEnd(const Pointer<Listener>& given, bool& result) : pointer(&given), wasNull(&result) {}
        OnEnd(OnEnd&& other) noexcept : pointer(std::exchange(other.pointer, nullptr)), wasNull(other.wasNull) {}
        OnEnd& operator=(OnEnd&&) = delete;
        ~OnEnd() {
            if (pointer != nullptr)
                *wasNull = !*pointer;
        }
        void operator()() const {}
        const Pointer<Listener>* pointer;
        bool* wasNull;
    };
    Signal<> s;
    auto listener = std::make_unique<Listener>();
    const Pointer<Listener> pointer = listener.get();
    bool wasNull = false;
    s.connect(listener.get(), OnEnd(pointer, wasNull));
    listener.reset();
    CHECK(wasNull);
}

TEST_CASE("after an emission an object asks through a guarded pointer whether it still is there") {
    struct Session : Tracked {
        void finish(std::string& log) {
            const Pointer<Session> self(this);
            finished();
            log = self ? "here" : "gone";
        }
        Signal<> finished{this};
    };
    std::string log;
    auto session = std::make_unique<Session>();
    session->finish(log);
    CHECK(log == "here");
    session->finished.connect([&] { session.reset(); });
    session->finish(log);
    CHECK(log == "gone");
}

TEST_CASE("a slot that holds a guarded pointer sees the deletion by an earlier slot") {
    Signal<> s;
    auto listener = std::make_unique<Listener>();
    int found = 0;
    int missed = 0;
    s.connect([&, pointer = Pointer<Listener>(listener.get())] { ++(pointer ? found : missed); });
    s.connect([&] { listener.reset(); });
    s.connect([&, pointer = Pointer<Listener>(listener.get())] { ++(pointer ? found : missed); });
    s();
    CHECK(found == 1);
    CHECK(missed == 1);
}

TEST_CASE("a tracked object need not come first among its bases") {
    struct First {
        virtual ~First() = default;
        int ballast = 1;
    };
    struct Second : First, Tracked {
        void hear() { ++heard; }
        int heard = 0;
    };
    Signal<> s;
    auto object = std::make_unique<Second>();
    const Pointer<Second> pointer = object.get();
    s.connect(object.get(), &Second::hear);
    s();
    CHECK(pointer->heard == 1);
    CHECK(pointer.get() == object.get());
    CHECK(s.disconnect(object.get()) == 1);
    object.reset();
    CHECK_FALSE(pointer);
}
