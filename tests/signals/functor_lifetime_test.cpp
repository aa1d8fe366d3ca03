#include <halyard/signals/signal.h>

#include "manual_executor.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;

namespace {

/// A slot that counts its copies and lives, and can act when the last of them ends.
class Counted {
  public:
    explicit Counted(int* calls = nullptr) : calls_(calls) { ++alive; }
    Counted(const Counted& other) : calls_(other.calls_) {
        ++alive;
        ++copies;
    }
    Counted(Counted&& other) noexcept : calls_(other.calls_) { ++alive; }
    Counted& operator=(const Counted&) = delete;
    Counted& operator=(Counted&&) = delete;
    ~Counted() { --alive; }
    void operator()() const {
        if (calls_ != nullptr)
            ++*calls_;
    }

    static inline int alive = 0;
    static inline int copies = 0;

  private:
    int* calls_;
};

/// A slot with a destructor that does what the test says.
class Parting {
  public:
    explicit Parting(std::function<void()> atEnd, std::function<void()> call = {})
        : atEnd_(std::move(atEnd)), call_(std::move(call)) {}
    Parting(Parting&& other) noexcept
        : atEnd_(std::exchange(other.atEnd_, nullptr)), call_(std::exchange(other.call_, nullptr)) {}
    Parting(const Parting&) = delete;
    Parting& operator=(const Parting&) = delete;
    Parting& operator=(Parting&&) = delete;
    ~Parting() {
        if (atEnd_)
            atEnd_();
    }
    void operator()() const {
        if (call_)
            call_();
    }

  private:
    std::function<void()> atEnd_;
    std::function<void()> call_;
};

static_assert(!detail::fitsLink<Counted> && !detail::fitsLink<Parting>, "these live on the heap");
static_assert(!detail::fitsLink<std::function<void()>>);
static_assert(detail::fitsLink<void (*)()>);
static_assert(detail::fitsLink<detail::MemberSlot<Tracked, void (Tracked::*)()>>);
static_assert(std::is_trivially_destructible_v<detail::Link>, "a cell is never destroyed");

struct Context : Tracked {};

/// Runs a case for a signal with the slot alone, first, in the middle and last.
struct Place {
    int before = 0;
    int after = 0;
};
constexpr Place places[] = {{0, 0}, {0, 5}, {3, 3}, {5, 0}, {1, 0}, {0, 1}};

void fill(Signal<>& s, int n) {
    while (n-- != 0)
        s.connect([] {});
}

} // namespace

TEST_CASE("a functor is moved in once, and copied once where it was given as an lvalue") {
    {
        Signal<> s;
        Context context;
        Counted::copies = 0;
        s.connect(Counted());
        s.connect(&context, Counted());
        CHECK(Counted::copies == 0);
        CHECK(Counted::alive == 2);
        const Counted mine;
        s.connect(mine);
        CHECK(Counted::copies == 1);
        CHECK(Counted::alive == 4);
        s();
        s.connect([] {});
        s();
        CHECK(Counted::copies == 1);
    }
    CHECK(Counted::alive == 0);
}

TEST_CASE("a disconnect destroys the functor at once") {
    for (const Place& place : places) {
        CAPTURE(place.before);
        CAPTURE(place.after);
        Signal<> s;
        Context context;
        fill(s, place.before);
        Connection connection = s.connect(&context, Counted());
        fill(s, place.after);
        CHECK(Counted::alive == 1);
        CHECK(connection.disconnect());
        CHECK(Counted::alive == 0);

        s.connect(&context, Counted());
        CHECK(s.disconnect(&context) == 1);
        CHECK(Counted::alive == 0);

        s.connect(Counted());
        s.disconnectAll();
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("the death of the context destroys the functor at once") {
    for (const Place& place : places) {
        CAPTURE(place.before);
        CAPTURE(place.after);
        Signal<> s;
        auto context = std::make_unique<Context>();
        fill(s, place.before);
        s.connect(context.get(), Counted());
        fill(s, place.after);
        context.reset();
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("the death of the signal destroys the functor at once") {
    for (const Place& place : places) {
        Context context;
        auto s = std::make_unique<Signal<>>();
        fill(*s, place.before);
        s->connect(&context, Counted());
        s->connect(Counted());
        fill(*s, place.after);
        s.reset();
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("a hundred functors go one by one, in any order") {
    Signal<> s;
    std::vector<Connection> all;
    for (int i = 0; i != 100; ++i)
        all.push_back(s.connect(Counted()));
    for (std::size_t i = 0; i != 100; ++i) {
        all[i * 37 % 100].disconnect();
        CHECK(Counted::alive == 99 - static_cast<int>(i));
    }
}

TEST_CASE("a functor that is ended in an emission lives until the emission is over") {
    for (const Place& place : places) {
        CAPTURE(place.before);
        CAPTURE(place.after);
        Signal<> s;
        fill(s, place.before);
        Connection self;
        int aliveAfter = -1;
        self = s.connect([&, counted = Counted()] {
            CHECK(self.disconnect());
            aliveAfter = Counted::alive;
        });
        fill(s, place.after);
        s();
        CHECK(aliveAfter == 1);
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("a functor that is ended by a slot that throws is destroyed too") {
    for (const Place& place : places) {
        Signal<> s;
        fill(s, place.before);
        Connection self;
        self = s.connect([&, counted = Counted()] {
            self.disconnect();
            throw std::runtime_error("thrown by a slot");
        });
        fill(s, place.after);
        CHECK_THROWS_AS(s(), std::runtime_error);
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("a running functor outlives all that a slot can end") {
    struct Stage {
        std::unique_ptr<Signal<>> s = std::make_unique<Signal<>>();
        std::unique_ptr<Context> context = std::make_unique<Context>();
        Connection self;
    };
    std::function<void(Stage&)> end = [](Stage& stage) { stage.self.disconnect(); };
    SUBCASE("the connection") {}
    SUBCASE("the signal") {
        end = [](Stage& stage) { stage.s.reset(); };
    }
    SUBCASE("the context") {
        end = [](Stage& stage) { stage.context.reset(); };
    }
    SUBCASE("all of them") {
        end = [](Stage& stage) {
            stage.self.disconnect();
            stage.context.reset();
            stage.s.reset();
        };
    }
    SUBCASE("the connection, among others that it makes itself") {
        end = [](Stage& stage) {
            fill(*stage.s, 4);
            stage.self.disconnect();
            fill(*stage.s, 4);
            (*stage.s)();
        };
    }
    for (const Place& place : places) {
        Stage stage;
        std::string seen;
        fill(*stage.s, place.before);
        stage.self = stage.s->connect(stage.context.get(), [&, counted = Counted(), word = std::string("captured")] {
            end(stage);
            CHECK(Counted::alive == 1);
            seen = word;
        });
        fill(*stage.s, place.after);
        (*stage.s)();
        CHECK(seen == "captured");
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("what a nested emission ends goes when the outermost is over") {
    Signal<> s;
    int depth = 0;
    Connection other;
    s.connect([&] {
        if (++depth < 3)
            s();
        else
            other.disconnect();
        CHECK(Counted::alive == 1);
    });
    other = s.connect(Counted());
    s();
    CHECK(Counted::alive == 0);
}

TEST_CASE("a blocked functor is kept") {
    int calls = 0;
    Signal<> s;
    Connection connection = s.connect(Counted(&calls));
    connection.setBlocked(true);
    s();
    s.connect([] {});
    s();
    CHECK(Counted::alive == 1);
    connection.setBlocked(false);
    s();
    CHECK(calls == 1);
    connection.setBlocked(true);
    connection.disconnect();
    CHECK(Counted::alive == 0);
}

TEST_CASE("the destructor of a functor may connect") {
    std::function<void(Signal<>&, Connection&)> end;
    SUBCASE("after a disconnect") {
        end = [](Signal<>&, Connection& connection) { connection.disconnect(); };
    }
    SUBCASE("after disconnecting all") {
        end = [](Signal<>& s, Connection&) { s.disconnectAll(); };
    }
    SUBCASE("after an emission in which it ended") {
        end = [](Signal<>& s, Connection& connection) {
            s.connect([&connection] { connection.disconnect(); });
            s();
        };
    }
    for (const Place& place : places) {
        Signal<> s;
        int calls = 0;
        fill(s, place.before);
        Connection connection = s.connect(Parting([&] {
            for (int i = 0; i != 10; ++i)
                s.connect([&] { ++calls; });
        }));
        fill(s, place.after);
        end(s, connection);
        CHECK(calls == 0);
        s();
        CHECK(calls == 10);
    }
}

TEST_CASE("what the destructor of a functor connects to its dying signal ends with it") {
    for (const Place& place : places) {
        Connection late;
        {
            Signal<> s;
            fill(s, place.before);
            s.connect(Parting([&] {
                late = s.connect(Counted());
                s.connect(Counted());
            }));
            fill(s, place.after);
        }
        CHECK_FALSE(late.isConnected());
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("a dying receiver is not called, though the destructor of a functor emits") {
    struct Dying : Tracked {
        ~Dying() { alive = false; }
        void hear() { CHECK(alive); }
        bool alive = true;
    };
    ManualExecutor executor;
    Signal<> direct;
    Signal<> queued;
    auto receiver = std::make_unique<Dying>();
    direct.connect(receiver.get(), &Dying::hear);
    direct.connect(receiver.get(), &Dying::hear);
    queued.connect(receiver.get(), &Dying::hear, ConnectionType::Queued);
    const auto atEnd = [&] {
        direct();
        queued();
        executor.run();
    };
    direct.connect(receiver.get(), Parting(atEnd));
    queued.connect(receiver.get(), Parting(atEnd));
    direct.connect(receiver.get(), &Dying::hear);
    queued.connect(receiver.get(), &Dying::hear, ConnectionType::Queued);
    direct();
    queued();
    receiver.reset();
    executor.run();
    CHECK(direct.connectionCount() == 0);
}

TEST_CASE("the destructor of a functor may disconnect others") {
    for (const Place& place : places) {
        Signal<> s;
        fill(s, place.before);
        std::vector<Connection> others;
        for (int i = 0; i != 4; ++i)
            others.push_back(s.connect(Counted()));
        Connection connection = s.connect(Parting([&] {
            for (Connection& each : others)
                CHECK(each.disconnect());
            CHECK(Counted::alive == 0);
        }));
        for (int i = 0; i != 4; ++i)
            others.push_back(s.connect(Counted()));
        fill(s, place.after);
        CHECK(connection.disconnect());
        CHECK(s.connectionCount() == static_cast<std::size_t>(place.before + place.after));
        s();
    }
}

TEST_CASE("the destructor of a functor may end further functors, whose destructors do so as well") {
    std::vector<Connection> chain(50);
    std::size_t ended = 0;
    Signal<> s;
    for (std::size_t i = 0; i != chain.size(); ++i) {
        chain[i] = s.connect(Parting([&, i] {
            ++ended;
            if (i + 1 != chain.size())
                chain[i + 1].disconnect();
        }));
    }
    SUBCASE("from outside") { chain[0].disconnect(); }
    SUBCASE("in an emission") {
        s.connect([&] { chain[0].disconnect(); });
        s();
    }
    SUBCASE("all at once") { s.disconnectAll(); }
    CHECK(ended == chain.size());
    s();
}

TEST_CASE("the destructor of a functor may emit") {
    for (const Place& place : places) {
        Signal<> s;
        int calls = 0;
        fill(s, place.before);
        s.connect([&] { ++calls; });
        Connection connection = s.connect(Parting([&] { s(); }));
        fill(s, place.after);
        connection.disconnect();
        CHECK(calls == 1);
        CHECK(s.connectionCount() == static_cast<std::size_t>(place.before + place.after + 1));
    }
}

TEST_CASE("the destructor of a functor may delete the signal") {
    for (const bool alone : {false, true}) {
        for (const Place& place : places) {
            for (int how = 0; how != 5; ++how) {
                CAPTURE(how);
                auto s = std::make_unique<Signal<>>();
                auto context = std::make_unique<Context>();
                if (!alone) {
                    fill(*s, place.before);
                    s->connect(Counted());
                }
                Connection connection;
                connection = s->connect(context.get(), Parting([&] { s.reset(); }, [&] { connection.disconnect(); }));
                if (!alone)
                    fill(*s, place.after);
                switch (how) {
                case 0:
                    connection.disconnect();
                    break;
                case 1:
                    CHECK(s->disconnect(context.get()) == 1);
                    break;
                case 2:
                    s->disconnectAll();
                    break;
                case 3:
                    context.reset();
                    break;
                default:
                    (*s)();
                }
                CHECK(s == nullptr);
                CHECK(Counted::alive == 0);
            }
        }
    }
}

TEST_CASE("the destructor of a functor may delete another signal, and a receiver") {
    bool signalDies = false;
    SUBCASE("when all is disconnected") {}
    SUBCASE("when its signal dies") { signalDies = true; }
    for (const Place& place : places) {
        auto s = std::make_unique<Signal<>>();
        auto other = std::make_unique<Signal<>>();
        auto context = std::make_unique<Context>();
        other->connect(*s);
        s->connect(*other);
        s->disconnectAll();
        fill(*s, place.before);
        s->connect(Parting([&] {
            other.reset();
            context.reset();
        }));
        s->connect(context.get(), Counted());
        other->connect(context.get(), Counted());
        fill(*s, place.after);
        if (signalDies)
            s.reset();
        else
            s->disconnectAll();
        CHECK(other == nullptr);
        CHECK(context == nullptr);
        s.reset();
        CHECK(Counted::alive == 0);
    }
}

TEST_CASE("the destructor of a functor finds its connection ended") {
    Signal<> s;
    Connection connection;
    bool found = true;
    connection = s.connect(Parting([&] { found = connection.isConnected() || connection.disconnect(); }));
    connection.disconnect();
    CHECK_FALSE(found);
}

TEST_CASE("a functor may hold its own handle, and the last reference to its signal") {
    struct Holder {
        Signal<> s;
        ScopedConnection connection;
    };
    std::weak_ptr<Holder> watch;
    {
        auto holder = std::make_shared<Holder>();
        watch = holder;
        Holder& its = *holder;
        its.connection = its.s.connect([holder] { holder->connection.disconnect(); });
        holder.reset();
        CHECK(watch.use_count() == 1);
        its.s();
    }
    CHECK(watch.expired());
}

TEST_CASE("a functor whose destructor connects to the same receiver as that one dies does not stay") {
    Signal<> s;
    int calls = 0;
    {
        Context context;
        s.connect(&context, Parting([&] { s.connect(&context, [&] { ++calls; }); }));
    }
    CHECK(s.connectionCount() == 0);
    s();
    CHECK(calls == 0);
}
