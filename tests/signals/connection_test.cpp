#include <halyard/signals/connection.h>

#include <halyard/signals/signal.h>

#include <doctest/doctest.h>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;

namespace {

static_assert(sizeof(Connection) == 16);
static_assert(std::is_trivially_copyable_v<Connection> && std::is_trivially_destructible_v<Connection>);
static_assert(std::is_nothrow_default_constructible_v<Connection>);
static_assert(std::is_nothrow_copy_constructible_v<Connection> && std::is_nothrow_copy_assignable_v<Connection>);
static_assert(noexcept(std::declval<Connection&>().disconnect()));
static_assert(noexcept(std::declval<const Connection&>().isConnected()));
static_assert(std::is_same_v<decltype(std::declval<Connection&>().disconnect()), bool>);

static_assert(sizeof(ScopedConnection) == sizeof(Connection));
static_assert(!std::is_copy_constructible_v<ScopedConnection> && !std::is_copy_assignable_v<ScopedConnection>);
static_assert(std::is_nothrow_move_constructible_v<ScopedConnection>);
static_assert(std::is_nothrow_move_assignable_v<ScopedConnection>);
static_assert(std::is_nothrow_default_constructible_v<ScopedConnection>);
static_assert(std::is_nothrow_destructible_v<ScopedConnection>);
static_assert(std::is_nothrow_convertible_v<Connection, ScopedConnection>);
static_assert(!std::is_convertible_v<ScopedConnection, Connection>);

struct Listener : Tracked {
    void hear() { ++heard; }
    int heard = 0;
};

} // namespace

TEST_CASE("a handle that was never connected is harmless") {
    Connection none;
    CHECK_FALSE(none.isConnected());
    CHECK_FALSE(none.isBlocked());
    none.setBlocked(true);
    CHECK_FALSE(none.isBlocked());
    CHECK_FALSE(none.disconnect());
    CHECK(none == Connection());
}

TEST_CASE("all copies of a handle stand for the one connection") {
    Signal<> s;
    Connection first = s.connect([] {});
    Connection second = first;
    CHECK(first == second);
    second.setBlocked(true);
    CHECK(first.isBlocked());
    CHECK(first.disconnect());
    CHECK_FALSE(second.isConnected());
    CHECK_FALSE(second.isBlocked());
    CHECK_FALSE(second.disconnect());
    CHECK_FALSE(first.disconnect());
}

TEST_CASE("handles of different connections differ") {
    Signal<> s;
    const Connection one = s.connect([] {});
    const Connection two = s.connect([] {});
    CHECK(one != two);
    CHECK(one != Connection());
}

TEST_CASE("a handle knows when either end is gone") {
    auto s = std::make_unique<Signal<>>();
    auto listener = std::make_unique<Listener>();
    Connection handle = s->connect(listener.get(), &Listener::hear);
    SUBCASE("the signal, alone with it") { s.reset(); }
    SUBCASE("the receiver, alone with it") { listener.reset(); }
    SUBCASE("the signal, with others") {
        s->connect([] {});
        s.reset();
    }
    SUBCASE("the receiver, with others") {
        s->connect([] {});
        listener.reset();
    }
    SUBCASE("both") {
        s->connect(listener.get(), &Listener::hear);
        listener.reset();
        s.reset();
    }
    SUBCASE("both, the other way round") {
        s->connect(listener.get(), &Listener::hear);
        s.reset();
        listener.reset();
    }
    SUBCASE("by a disconnect that names no handle") { s->disconnect(listener.get(), &Listener::hear); }
    CHECK_FALSE(handle.isConnected());
    CHECK_FALSE(handle.isBlocked());
    CHECK_FALSE(handle.disconnect());
}

TEST_CASE("an old handle does not see the connection that lives in its place now") {
    Signal<> s;
    int calls = 0;
    std::vector<Connection> old;
    for (int i = 0; i != 1000; ++i) {
        Connection current = s.connect([&] { ++calls; });
        for (Connection& each : old) {
            REQUIRE(each != current);
            REQUIRE_FALSE(each.isConnected());
            REQUIRE_FALSE(each.disconnect());
            each.setBlocked(true);
        }
        REQUIRE_FALSE(current.isBlocked());
        s();
        REQUIRE(calls == i + 1);
        if (i % 100 == 0)
            old.push_back(current);
        REQUIRE(current.disconnect());
    }
}

TEST_CASE("handles of many connections outlive them all") {
    std::vector<Connection> handles;
    {
        Signal<> s;
        Listener listener;
        for (int i = 0; i != 500; ++i)
            handles.push_back(s.connect(&listener, &Listener::hear));
        s();
        CHECK(listener.heard == 500);
        for (std::size_t i = 0; i < 500; i += 3)
            CHECK(handles[i].disconnect());
        CHECK(s.connectionCount() == 333);
    }
    for (Connection& each : handles) {
        CHECK_FALSE(each.isConnected());
        CHECK_FALSE(each.disconnect());
    }
}

TEST_CASE("the last connections of a list go first, or the first first, or any") {
    Signal<> s;
    int calls = 0;
    std::vector<Connection> handles;
    for (int i = 0; i != 64; ++i)
        handles.push_back(s.connect([&] { ++calls; }));
    SUBCASE("last first") {
        for (std::size_t i = 64; i-- != 0;) {
            CHECK(handles[i].disconnect());
            CHECK(s.connectionCount() == i);
        }
    }
    SUBCASE("first first") {
        for (std::size_t i = 0; i != 64; ++i) {
            CHECK(handles[i].disconnect());
            CHECK(s.connectionCount() == 63 - i);
        }
    }
    SUBCASE("every other, then the others") {
        for (std::size_t i = 0; i < 64; i += 2)
            CHECK(handles[i].disconnect());
        s();
        CHECK(calls == 32);
        for (std::size_t i = 1; i < 64; i += 2)
            CHECK(handles[i].disconnect());
    }
    calls = 0;
    s();
    CHECK(calls == 0);
    s.connect([&] { ++calls; });
    s();
    CHECK(calls == 1);
}

TEST_CASE("a scoped connection ends with its scope") {
    Signal<> s;
    int calls = 0;
    {
        const ScopedConnection scoped = s.connect([&] { ++calls; });
        CHECK(scoped.isConnected());
        s();
    }
    s();
    CHECK(calls == 1);
    CHECK(s.connectionCount() == 0);
}

TEST_CASE("a scoped connection that is moved takes the connection along") {
    Signal<> s;
    int one = 0;
    int two = 0;
    ScopedConnection first = s.connect([&] { ++one; });
    {
        ScopedConnection second = std::move(first);
        CHECK(second.isConnected());
        CHECK_FALSE(first.isConnected()); // NOLINT(bugprone-use-after-move): that is the promise
        s();
        CHECK(one == 1);

        second = s.connect([&] { ++two; }); // ends what it had
        s();
        CHECK(one == 1);
        CHECK(two == 1);

        ScopedConnection& same = second;
        second = std::move(same);
        CHECK(second.isConnected());

        first = std::move(second);
    }
    s();
    CHECK(two == 2);
    first = ScopedConnection();
    CHECK(s.connectionCount() == 0);
}

TEST_CASE("a released scoped connection leaves the connection alone") {
    Signal<> s;
    Connection plain;
    {
        ScopedConnection scoped = s.connect([] {});
        plain = scoped.release();
        CHECK_FALSE(scoped.isConnected());
    }
    CHECK(plain.isConnected());
    CHECK(s.connectionCount() == 1);
}

TEST_CASE("a scoped connection disconnects and blocks like a plain one") {
    Signal<> s;
    int calls = 0;
    ScopedConnection scoped = s.connect([&] { ++calls; });
    scoped.setBlocked(true);
    CHECK(scoped.isBlocked());
    s();
    scoped.setBlocked(false);
    s();
    CHECK(calls == 1);
    CHECK(scoped.disconnect());
    CHECK_FALSE(scoped.disconnect());
}

TEST_CASE("a scoped connection may outlive its signal and its receiver") {
    auto s = std::make_unique<Signal<>>();
    auto listener = std::make_unique<Listener>();
    const ScopedConnection one = s->connect(listener.get(), &Listener::hear);
    const ScopedConnection two = s->connect([] {});
    listener.reset();
    CHECK_FALSE(one.isConnected());
    s.reset();
    CHECK_FALSE(two.isConnected());
}

TEST_CASE("a scoped connection may end in its own slot") {
    Signal<> s;
    int calls = 0;
    auto scoped = std::make_unique<ScopedConnection>();
    *scoped = s.connect([&] {
        ++calls;
        scoped.reset();
    });
    s();
    s();
    CHECK(calls == 1);
}

TEST_CASE("a scoped connection is given a new one by the destructor of its old slot") {
    // Whoever is assigned last stays: the slot's destructor runs when the old connection ends.
    struct Reconnects {
        Reconnects(Signal<>& given, ScopedConnection& its) : s(&given), scoped(&its) {}
        Reconnects(Reconnects&& other) noexcept : s(std::exchange(other.s, nullptr)), scoped(other.scoped) {}
        Reconnects& operator=(Reconnects&&) = delete;
        ~Reconnects() {
            if (s != nullptr)
                *scoped = s->connect([] {});
        }
        void operator()() const {}
        Signal<>* s;
        ScopedConnection* scoped;
    };
    Signal<> s;
    {
        ScopedConnection scoped;
        scoped = s.connect(Reconnects(s, scoped));
        scoped = s.connect([] {});
        CHECK(s.connectionCount() == 1);
    }
    CHECK(s.connectionCount() == 0);
}
