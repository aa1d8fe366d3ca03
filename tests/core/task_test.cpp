#include <halyard/core/task.h>

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/task_group.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>

#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<Task<int>> && std::is_nothrow_move_constructible_v<Task<int>>);
static_assert(!std::is_copy_constructible_v<Sleep> && !std::is_move_constructible_v<Sleep>);
static_assert(std::is_convertible_v<std::chrono::seconds, Until> && std::is_convertible_v<Clock::time_point, Until>);
static_assert(std::is_same_v<detail::Emitted<>::type, void>);
static_assert(std::is_same_v<detail::Emitted<const std::string&>::type, std::string>);
static_assert(std::is_same_v<detail::Emitted<int, const char*>::type, std::tuple<int, const char*>>);

using Trace = std::vector<std::string>;

/// Says when it is destroyed.
struct Local {
    explicit Local(Trace& where, std::string what) : trace(&where), text(std::move(what)) {}
    Local(const Local&) = delete;
    Local& operator=(const Local&) = delete;
    ~Local() { trace->push_back(text); }
    Trace* trace;
    std::string text;
};

struct Source : Object {
    Signal<> plain{this};
    Signal<int> number{this};
    Signal<std::string, int> pair{this};
};

Task<int> give(int value) { co_return value; }
Task<int> giveLater(Signal<int>& signal) {
    const auto value = co_await signal;
    co_return value ? *value : -1;
}
Task<int> fails(bool later) {
    if (later)
        co_await sleepFor(0ms);
    throw std::runtime_error("it had to be");
}
Task<> moveLater(Object& what, Thread& to, bool& moved) {
    co_await sleepFor(0ms);
    moved = what.moveToThread(&to);
}

Task<> collect(Signal<int>& signal, Trace& trace) {
    const Local local(trace, "gone");
    for (;;) {
        const auto value = co_await signal;
        trace.push_back(value ? std::to_string(*value) : value.error().message());
        if (!value)
            co_return;
    }
}

/// The task, begun in that context.
template <class T>
Task<T> started(Object& context, Task<T> task) {
    REQUIRE(task.start(&context));
    return task;
}

std::string messageOf(std::errc error) { return std::make_error_code(error).message(); }

} // namespace

// --- beginning and ending ---

TEST_CASE("a task begins when it is started, and runs to its first wait at once") {
    Trace trace;
    Object context;
    Source source;
    Task<> task = collect(source.number, trace);
    source.number(1);
    CHECK(trace.empty());
    CHECK_FALSE(task.isRunning());
    REQUIRE(task.start(&context));
    CHECK(task.isRunning());
    source.number(2);
    source.number(3);
    CHECK(trace == Trace{"2", "3"});
}

TEST_CASE("a task that is done keeps its result, and its context gets rid of it") {
    Object context;
    Task<int> task = give(7);
    REQUIRE(task.start(&context));
    CHECK(task.isDone());
    CHECK(context.children().empty());
    CHECK(task.result() == 7);
}

TEST_CASE("a task ends with its handle, and what it has on its stack with it") {
    Trace trace;
    Object context;
    Source source;
    {
        Task<> task = started(context, collect(source.number, trace));
        source.number(1);
    }
    CHECK(trace == Trace{"1", "gone"});
    CHECK(source.number.connectionCount() == 0);
    CHECK(context.children().empty());
}

TEST_CASE("a task that was never started is destroyed with its handle, and its arguments with it") {
    const auto argument = std::make_shared<int>(1);
    const auto never = [](std::shared_ptr<int> given) -> Task<int> { co_return *given; };
    {
        const Task<int> task = never(argument);
        CHECK(argument.use_count() == 2);
    }
    CHECK(argument.use_count() == 1);
}

TEST_CASE("a context that dies takes its tasks along, with all that is on their stacks") {
    Trace trace;
    Source source;
    auto context = std::make_unique<Object>();
    const auto outer = [](Signal<int>& signal, Trace& where) -> Task<> {
        const Local local(where, "outer");
        co_await collect(signal, where);
        where.emplace_back("never");
    };
    Task<> kept = outer(source.number, trace);
    kept.start(context.get());
    start(context.get(), collect(source.number, trace));
    source.number(1);
    context.reset();
    CHECK(trace == Trace{"1", "1", "gone", "outer", "gone"});
    CHECK_FALSE(kept);
    CHECK_FALSE(kept.isDone());
    source.number(2);
    CHECK(trace.size() == 5);
}

TEST_CASE("a handle may be moved while its task runs") {
    Trace trace;
    Object context;
    Source source;
    Task<> first = started(context, collect(source.number, trace));
    std::optional<Task<>> second(std::move(first));
    CHECK_FALSE(first); // NOLINT(bugprone-use-after-move)
    source.number(1);
    second.reset();
    CHECK(trace == Trace{"1", "gone"});
}

TEST_CASE("a task that deletes its context goes on to its next wait, and no further") {
    Trace trace;
    auto* const context = new Object;
    Source source;
    const auto suicide = [](Object* victim, Signal<int>& signal, Trace& where) -> Task<> {
        const Local local(where, "gone");
        co_await signal;
        delete victim;
        where.emplace_back("still here");
        co_await sleepFor(0ms);
        where.emplace_back("never");
    };
    start(context, suicide(context, source.number, trace));
    source.number(1);
    CHECK(trace == Trace{"still here", "gone"});
}

TEST_CASE("the same, where the next wait would be none, or is for another task") {
    Trace trace;
    for (const bool deep : {false, true}) {
        auto* const context = new Object;
        const auto inner = [](Object* victim, Trace& where) -> Task<> {
            const Local local(where, "inner");
            delete victim;
            co_return;
        };
        const auto outer = [](Object* victim, bool nested, Trace& where, auto body) -> Task<> {
            const Local local(where, "outer");
            if (nested)
                co_await body(victim, where);
            else
                delete victim;
            co_await give(1);
            where.emplace_back("never");
        };
        CHECK(start(context, outer(context, deep, trace, inner)));
    }
    CHECK(trace == Trace{"outer", "inner", "outer"});
}

TEST_CASE("a task may drop its own handle") {
    Trace trace;
    Object context;
    std::optional<Task<>> task;
    const auto drops = [](std::optional<Task<>>& itself, Trace& where) -> Task<> {
        const Local local(where, "gone");
        co_await sleepFor(0ms);
        itself.reset();
        where.emplace_back("still here");
        co_await sleepFor(0ms);
        where.emplace_back("never");
    };
    task.emplace(drops(task, trace));
    task->start(&context);
    CHECK(pumpUntil([&] { return !task; }));
    CHECK(trace == Trace{"still here", "gone"});
}

TEST_CASE("a task that is destroyed may destroy others, and its context") {
    struct DeletesInTheEnd {
        explicit DeletesInTheEnd(std::unique_ptr<Object> what) : object(std::move(what)) {}
        std::unique_ptr<Object> object;
    };
    Trace trace;
    Source source;
    auto owned = std::make_unique<Object>();
    Object* const inside = owned.get();
    const auto keeps = [](std::unique_ptr<Object> what, Signal<int>& signal) -> Task<> {
        const DeletesInTheEnd keeper(std::move(what));
        co_await signal;
    };
    Object context;
    start(inside, collect(source.number, trace));
    SUBCASE("others") {
        Task<> task = started(context, keeps(std::move(owned), source.number));
        task = {};
    }
    SUBCASE("its context, at its end") {
        start(inside, keeps(std::move(owned), source.number));
        source.number(1);
        CHECK(trace.front() == "1");
    }
    CHECK(trace.back() == "gone");
    CHECK(context.children().empty());
}

TEST_CASE("what cannot be started is refused, and destroyed") {
    Logged logged;
    Object context;
    Task<int> task = give(1);
    CHECK_FALSE(task.start(nullptr));
    CHECK(task.start(&context));
    CHECK_FALSE(task.start(&context));
    CHECK_FALSE(Task<>().start(&context));
    CHECK(logged.linesWith("a task is not started") == 3);
    CHECK_THROWS_AS(static_cast<void>(Task<int>().result()), std::logic_error);
    Thread thread;
    REQUIRE(thread.start());
    auto* const elsewhere = new Object;
    thread.finished.connect(elsewhere, &Object::deleteLater);
    elsewhere->moveToThread(&thread);
    CHECK_FALSE(start(elsewhere, give(1)));
    CHECK(logged.linesWith("another thread") == 1);
    auto* const dying = new Object;
    dying->destroyed.connect([dying] { CHECK_FALSE(start(dying, give(1))); });
    delete dying;
    CHECK(logged.linesWith("is being destroyed") == 1);
}

// --- tasks in tasks ---

TEST_CASE("a task awaits another and gets its value") {
    Object context;
    Source source;
    const auto sum = [](Signal<int>& signal) -> Task<int> {
        int all = co_await give(1);
        all += co_await giveLater(signal);
        Task<int> kept = giveLater(signal);
        all += co_await std::move(kept);
        co_return all;
    };
    Task<int> task = started(context, sum(source.number));
    source.number(10);
    source.number(100);
    REQUIRE(task.isDone());
    CHECK(task.result() == 111);
}

TEST_CASE("a loop over tasks that do not wait needs no stack, and nor does a deep end") {
    const auto many = []() -> Task<int> {
        int sum = 0;
        for (int i = 0; i != 100'000; ++i)
            sum += co_await give(1);
        co_return sum;
    };
    struct Deep {
        static Task<int> at(int depth, Signal<int>& signal) {
            if (depth == 0)
                co_return co_await giveLater(signal);
            co_return 1 + co_await at(depth - 1, signal);
        }
    };
    Object context;
    Source source;
    Task<int> loop = started(context, many());
    CHECK(loop.result() == 100'000);
    Task<int> deep = started(context, Deep::at(500, source.number));
    source.number(1);
    CHECK(deep.result() == 501);
}

TEST_CASE("what was started or is none cannot be awaited") {
    Object context;
    Source source;
    const auto awaits = [](Task<int> other) -> Task<int> { co_return co_await std::move(other); };
    Task<int> begun = started(context, giveLater(source.number));
    Task<int> first = awaits(std::move(begun));
    Task<int> second = awaits({});
    first.start(&context);
    second.start(&context);
    CHECK_THROWS_AS(static_cast<void>(first.result()), std::logic_error);
    CHECK_THROWS_AS(static_cast<void>(second.result()), std::logic_error);
}

TEST_CASE("an exception goes to who awaits, through as many tasks as there are") {
    Object context;
    const auto catches = [](bool later) -> Task<std::string> {
        try {
            co_return std::to_string(co_await fails(later));
        } catch (const std::runtime_error& error) {
            co_return error.what();
        }
    };
    const auto passes = [](bool later) -> Task<int> { co_return co_await fails(later); };
    for (const bool later : {false, true}) {
        Logged logged;
        Task<std::string> caught = catches(later);
        Task<int> passed = passes(later);
        caught.start(&context);
        passed.start(&context);
        CHECK(pumpUntil([&] { return caught.isDone() && passed.isDone(); }));
        CHECK(caught.result() == "it had to be");
        CHECK_THROWS_WITH(static_cast<void>(passed.result()), "it had to be");
        CHECK(logged.lines().empty());
    }
}

TEST_CASE("an exception that nobody takes is logged, and leaves no slot") {
    Logged logged;
    Object context;
    start(&context, fails(false));
    CHECK(logged.linesWith("it had to be") == 1);
    start(&context, fails(true));
    CHECK(pumpUntil([&] { return context.children().empty(); }));
    CHECK(logged.linesWith("it had to be") == 1);
    {
        Task<int> kept = started(context, fails(false));
        CHECK(logged.lines().empty());
    }
    CHECK(logged.linesWith("it had to be") == 1);
    const auto throwsANumber = []() -> Task<> {
        co_await sleepFor(0ms);
        throw 1;
    };
    start(&context, throwsANumber());
    CHECK(pumpUntil([&] { return context.children().empty(); }));
    CHECK(logged.linesWith("no std::exception") == 1);
}

TEST_CASE("a destructor that runs when a task throws may delete the context") {
    Logged logged;
    auto context = std::make_unique<Object>();
    const auto throws = [](std::unique_ptr<Object>& whose) -> Task<> {
        struct Ends {
            std::unique_ptr<Object>* what;
            explicit Ends(std::unique_ptr<Object>& object) : what(&object) {}
            ~Ends() { what->reset(); }
        };
        const Ends ends(whose);
        co_await sleepFor(0ms);
        throw std::runtime_error("thrown");
    };
    start(context.get(), throws(context));
    CHECK(pumpUntil([&] { return context == nullptr; }));
    CHECK(logged.linesWith("thrown") == 1);
}

TEST_CASE("an exception out of a look at what is awaited leaves through the slot, and the task waits on") {
    class Level final : public Await<void> {
      public:
        Level(Signal<int>& changed, int& level) : changed_(changed), level_(level) {}

      private:
        bool look() override {
            if (level_ < 0)
                throw std::runtime_error("no level");
            return level_ > 1 && set();
        }
        void begin() override {
            connection_ = changed_.connect(&task(), [this](int level) {
                level_ = level;
                happened();
            });
        }
        Signal<int>& changed_;
        int& level_;
        ScopedConnection connection_;
    };
    Trace trace;
    Source source;
    int level = 0;
    const auto waits = [](Signal<int>& changed, int& now, Trace& where) -> Task<> {
        const Local local(where, "gone");
        co_await Level(changed, now);
        where.push_back("high");
        co_await changed;
    };
    {
        Object context;
        start(&context, waits(source.number, level, trace));
        CHECK_THROWS_WITH(source.number(-1), "no level");
        CHECK(trace.empty());
        SUBCASE("for what comes next") {
            source.number(2);
            CHECK(trace == Trace{"high"});
            trace.clear();
        }
        SUBCASE("until its context dies") {}
    }
    CHECK(trace == Trace{"gone"});
}

// --- signals ---

TEST_CASE("an awaited signal gives its arguments: none, one, or a tuple of copies") {
    Object context;
    Source source;
    std::tuple<std::string, int> both;
    int one = 0;
    bool none = false;
    const auto all = [](Source& from, std::tuple<std::string, int>& pair, int& number, bool& plain) -> Task<> {
        plain = (co_await from.plain).hasValue();
        number = *co_await from.number;
        pair = *co_await from.pair;
    };
    start(&context, all(source, both, one, none));
    source.number(1);
    CHECK_FALSE(none);
    source.plain();
    CHECK(none);
    source.number(2);
    source.pair("three", 3);
    CHECK(one == 2);
    CHECK(both == std::tuple("three", 3));
}

TEST_CASE("what a task awaits in the slot of a signal is the next emission of it") {
    Trace trace;
    Object context;
    Source source;
    start(&context, collect(source.number, trace));
    source.number.connect(&context, [&](int n) {
        if (n == 1)
            source.number(2);
    });
    source.number(1);
    CHECK(trace == Trace{"1", "2"});
}

TEST_CASE("a sender that dies while it is awaited ends the wait, in the next turn") {
    Trace trace;
    Object context;
    auto source = std::make_unique<Source>();
    start(&context, collect(source->number, trace));
    SUBCASE("by itself") { source.reset(); }
    SUBCASE("in another slot of the same emission") {
        source->plain.connect([&] { source.reset(); });
        source->plain();
    }
    CHECK(trace.empty());
    CHECK(pumpUntil([&] { return !trace.empty(); }));
    CHECK(trace == Trace{messageOf(std::errc::owner_dead), "gone"});
}

TEST_CASE("so does a signal that has no owner") {
    Trace trace;
    Object context;
    auto signal = std::make_unique<Signal<int>>();
    start(&context, collect(*signal, trace));
    (*signal)(1);
    signal.reset();
    CHECK(pumpUntil([&] { return trace.size() == 3; }));
    CHECK(trace == Trace{"1", messageOf(std::errc::owner_dead), "gone"});
}

TEST_CASE("a sender that dies after its emission has ended the wait is nobody's business") {
    Trace trace;
    Object context;
    auto source = std::make_unique<Source>();
    Source other;
    const auto two = [](Signal<int>& first, Signal<int>& second, Trace& where) -> Task<> {
        const auto a = co_await first;
        const auto b = co_await second;
        where.push_back(std::to_string(*a) + std::to_string(b ? *b : -1));
    };
    start(&context, two(source->number, other.number, trace));
    source->number(1);
    source.reset();
    pumpIdle();
    other.number(2);
    CHECK(trace == Trace{"12"});
}

TEST_CASE("a task that is resumed may delete the sender") {
    Object context;
    auto source = std::make_unique<Source>();
    bool went = false;
    const auto deletes = [](std::unique_ptr<Source>& from, bool& on) -> Task<> {
        co_await from->number;
        from.reset();
        co_await sleepFor(0ms);
        on = true;
    };
    start(&context, deletes(source, went));
    source->number(1);
    CHECK(source == nullptr);
    CHECK(pumpUntil([&] { return went; }));
}

TEST_CASE("a blocked sender is not heard, and a disconnected task waits for nothing more") {
    Trace trace;
    Object context;
    Source source;
    start(&context, collect(source.number, trace));
    {
        const SignalBlocker blocker(source);
        source.number(1);
    }
    CHECK(trace.empty());
    source.number.disconnectAll();
    CHECK(pumpUntil([&] { return trace.size() == 2; }));
    CHECK(trace.front() == messageOf(std::errc::owner_dead));
}

// --- time ---

TEST_CASE("a sleep takes its time, and no less") {
    ManualClock clock;
    Object context;
    Trace trace;
    const auto sleeps = [](Trace& where) -> Task<> {
        co_await sleepFor(0ms);
        where.emplace_back("turn");
        co_await sleepFor(10ms);
        where.emplace_back("10");
        co_await sleepUntil(Clock::now() + 1h);
        where.emplace_back("hour");
        co_await sleepUntil(Clock::now() - 1h);
        co_await sleepFor(-5s);
        where.emplace_back("late");
    };
    start(&context, sleeps(trace));
    CHECK(trace.empty());
    pumpIdle();
    CHECK(trace == Trace{"turn"});
    clock.advance(9ms);
    CHECK(trace.size() == 1);
    clock.advance(1ms);
    CHECK(trace.size() == 2);
    clock.advance(1h);
    pumpIdle();
    CHECK(trace == Trace{"turn", "10", "hour", "late"});
}

TEST_CASE("a time that the clock does not reach is for ever, and one before all times is over") {
    CHECK(Until(std::chrono::hours::max()).isForEver());
    CHECK(Until(std::chrono::seconds::max()).isForEver());
    CHECK(Until(std::chrono::duration<double>(1e300)).isForEver());
    CHECK(Until(std::chrono::milliseconds::max()).isForEver());
    CHECK(Until(std::chrono::hours::min()).when() < Clock::now());
    CHECK(Until(std::chrono::milliseconds::min()).when() < Clock::now());
    CHECK_FALSE(Until(std::chrono::hours(24 * 365 * 100)).isForEver());
}

TEST_CASE("a deadline ends a wait, and what comes in time does not meet it any more") {
    ManualClock clock;
    Object context;
    Source source;
    Trace trace;
    const auto waits = [](Signal<int>& signal, Trace& where) -> Task<> {
        const Until deadline = 10ms;
        for (int i = 0; i != 3; ++i) {
            const auto value = co_await emitted(signal, deadline);
            where.push_back(value ? std::to_string(*value) : value.error().message());
        }
        const auto later = co_await emitted(signal);
        where.push_back(std::to_string(*later));
    };
    start(&context, waits(source.number, trace));
    source.number(1);
    clock.advance(9ms);
    CHECK(trace == Trace{"1"});
    clock.advance(1ms);
    pumpIdle();
    CHECK(trace == Trace{"1", messageOf(std::errc::timed_out), messageOf(std::errc::timed_out)});
    clock.advance(1h);
    source.number(2);
    CHECK(trace.back() == "2");
}

// --- cancelling ---

TEST_CASE("cancelling ends the present wait in the next turn, and each further one too") {
    Object context;
    Source source;
    Trace trace;
    const auto nested = [](Signal<int>& signal, Trace& where) -> Task<int> {
        co_await collect(signal, where);
        const auto again = co_await emitted(signal, 1h);
        where.push_back(again.error().message());
        const auto slept = co_await sleepFor(1h);
        where.push_back(slept.error().message());
        co_return co_await give(5);
    };
    Task<int> task = started(context, nested(source.number, trace));
    source.number(1);
    task.cancel();
    task.cancel();
    CHECK(trace == Trace{"1"});
    const std::string cancelled = messageOf(std::errc::operation_canceled);
    CHECK(pumpUntil([&] { return task.isDone(); }));
    CHECK(trace == Trace{"1", cancelled, "gone", cancelled, cancelled});
    CHECK(task.result() == 5);
    task.cancel();
}

TEST_CASE("a task that does not care that it was cancelled does not stop the loop") {
    Object context;
    int rounds = 0;
    const auto deaf = [](int& count) -> Task<> {
        for (;;) {
            co_await sleepFor(1h);
            ++count;
        }
    };
    Task<> task = started(context, deaf(rounds));
    task.cancel();
    CHECK(pumpUntil([&] { return rounds == 3; }));
    task = {};
    pumpIdle();
    CHECK(rounds == 3);
}

TEST_CASE("a task that is cancelled, or late, in a loop that runs in its wait hears of it after that") {
    Object context;
    Task<> task;
    SUBCASE("cancelled when a part begins") {
        const auto part = []() -> Task<> {
            EventLoop::current()->processEvents();
            EventLoop::current()->processEvents();
            co_await sleepFor(1h);
        };
        const auto awaitsBoth = [](Task<> one) -> Task<> { co_await whenAll(std::move(one), give(1)); };
        EventLoop::current()->post([&] { task.cancel(); });
        task = awaitsBoth(part());
        REQUIRE(task.start(&context));
        CHECK(pumpUntil([&] { return task.isDone(); }));
    }
    SUBCASE("late when it looks") {
        class Looks final : public Await<void> {
          public:
            explicit Looks(Signal<>& signal) : Await(1ms), signal_(signal) {}

          private:
            bool look() override {
                if (isConnected_) {
                    pumpUntil([&] { return Clock::now() > until().when(); });
                    pumpIdle();
                }
                return false;
            }
            void begin() override {
                connection_ = signal_.connect(&task(), [this] { happened(); });
                isConnected_ = true;
            }
            Signal<>& signal_;
            ScopedConnection connection_;
            bool isConnected_ = false;
        };
        Source source;
        std::error_code error;
        const auto waits = [](Signal<>& signal, std::error_code& why) -> Task<> {
            why = (co_await Looks(signal)).error();
        };
        task = waits(source.plain, error);
        REQUIRE(task.start(&context));
        source.plain();
        CHECK(pumpUntil([&] { return task.isDone(); }));
        CHECK(error == std::errc::timed_out);
    }
}

TEST_CASE("a task may cancel itself, and be cancelled before what it waits for comes") {
    Object context;
    Source source;
    Trace trace;
    std::optional<Task<>> task(collect(source.number, trace));
    source.number.connect(&context, [&](int n) {
        if (n == 1)
            task->cancel();
    });
    task->start(&context);
    source.number(1); // the task is told second, and waits again by then
    CHECK(pumpUntil([&] { return trace.size() == 3; }));
    CHECK(trace.back() == "gone");
}

// --- beside each other ---

TEST_CASE("a task that was started may be joined, by as many as like") {
    Object context;
    Source source;
    Task<int> task = started(context, giveLater(source.number));
    const auto joins = [](Task<int>& other) -> Task<int> { co_return *co_await joined(other) + 1; };
    const auto looks = [](Task<int>& other, Signal<>& signal) -> Task<std::string> {
        co_await signal;
        const auto value = co_await joined(other, 0ms);
        co_return value ? "value" : value.error().message();
    };
    Task<std::string> early = started(context, looks(task, source.plain));
    source.plain();
    CHECK(pumpUntil([&] { return early.isDone(); }));
    CHECK(early.result() == messageOf(std::errc::timed_out));
    Task<int> first = started(context, joins(task));
    source.number(3);
    REQUIRE(first.isDone());
    CHECK(first.result() == 4);
}

TEST_CASE("joining a task whose context dies, one that is done, and one that never began") {
    auto context = std::make_unique<Object>();
    Object mine;
    Source source;
    Task<int> task = giveLater(source.number);
    const auto joins = [](Task<int>& other) -> Task<std::string> {
        const auto value = co_await joined(other);
        co_return value ? std::to_string(*value) : value.error().message();
    };
    Task<std::string> none = started(mine, joins(task));
    CHECK_THROWS_AS(static_cast<void>(none.result()), std::logic_error);
    task.start(context.get());
    Task<std::string> joining = started(mine, joins(task));
    context.reset();
    CHECK_FALSE(joining.isDone());
    CHECK(pumpUntil([&] { return joining.isDone(); }));
    CHECK(joining.result() == messageOf(std::errc::owner_dead));
    Task<int> done = started(mine, give(9));
    Task<std::string> afterwards = started(mine, joins(done));
    CHECK(afterwards.result() == "9");
}

TEST_CASE("a task within a time ends with it") {
    ManualClock clock;
    Object context;
    Source source;
    Trace trace;
    const auto limited = [](Signal<int>& signal, Trace& where) -> Task<std::string> {
        const auto quick = co_await within(1h, giveLater(signal));
        const auto slow = co_await within(1h, collect(signal, where));
        co_return std::to_string(*quick) + slow.error().message();
    };
    Task<std::string> task = started(context, limited(source.number, trace));
    source.number(4);
    clock.advance(59min);
    source.number(5);
    clock.advance(2min);
    REQUIRE(task.isDone());
    CHECK(task.result() == "4" + messageOf(std::errc::timed_out));
    CHECK(trace == Trace{"5", "gone"});
}

TEST_CASE("cancelling a task cancels what it awaits within a time, and waits for that") {
    Object context;
    Source source;
    Trace trace;
    const auto limited = [](Signal<int>& signal, Trace& where) -> Task<bool> {
        const auto done = co_await within(1h, collect(signal, where));
        co_return done.hasValue();
    };
    Task<bool> task = started(context, limited(source.number, trace));
    task.cancel();
    CHECK(pumpUntil([&] { return task.isDone(); }));
    CHECK(task.result());
    CHECK(trace == Trace{messageOf(std::errc::operation_canceled), "gone"});
}

TEST_CASE("tasks side by side end together, or with the first of them") {
    Object context;
    Source source;
    Trace trace;
    const auto both = [](Source& from, Trace& where) -> Task<int> {
        const auto [first, second, nothing] =
            co_await whenAll(giveLater(from.number), give(2), [](Signal<>& s) -> Task<> { co_await s; }(from.plain));
        where.emplace_back("all");
        const auto any = co_await whenAny(collect(from.number, where), giveLater(from.number), give(3));
        where.emplace_back("any");
        co_return first * 100 + second * 10 + static_cast<int>(any.index());
    };
    Task<int> task = started(context, both(source, trace));
    source.number(1);
    CHECK(trace.empty());
    source.plain();
    REQUIRE(task.isDone());
    CHECK(task.result() == 122);
    CHECK(trace == Trace{"all", "gone", "any"});
}

TEST_CASE("cancelling a task cancels all that it awaits side by side, and waits for them") {
    Object context;
    Source source;
    Trace trace;
    const auto both = [](Source& from, Trace& where) -> Task<> {
        co_await whenAll(collect(from.number, where), collect(from.number, where));
        where.emplace_back("all");
    };
    Task<> task = started(context, both(source, trace));
    task.cancel();
    CHECK(pumpUntil([&] { return task.isDone(); }));
    const std::string cancelled = messageOf(std::errc::operation_canceled);
    CHECK(trace == Trace{cancelled, "gone", cancelled, "gone", "all"});
}

TEST_CASE("a task that was cancelled before passes through what it awaits within a time, and side by side") {
    Object context;
    Source source;
    Trace trace;
    const auto tidy = [](Source& from, Trace& where) -> Task<> {
        co_await from.plain;
        const auto late = co_await within(1h, collect(from.number, where));
        where.push_back(late ? "value" : late.error().message());
        co_await whenAll(collect(from.number, where), give(2));
        where.emplace_back("all");
        const auto any = co_await whenAny(collect(from.number, where), give(3));
        where.push_back(std::to_string(any.index()));
        co_await whenAll();
    };
    Task<> task = started(context, tidy(source, trace));
    task.cancel();
    CHECK(pumpUntil([&] { return task.isDone(); }, patience(1s)));
    const std::string cancelled = messageOf(std::errc::operation_canceled);
    CHECK(trace == Trace{cancelled, cancelled, "gone", "all", "gone", "1"});
    CHECK(source.number.connectionCount() == 0);
}

TEST_CASE("a cancelled task that awaits what is no task hears of it, and the loop does not") {
    Object context;
    Source source;
    Trace trace;
    const auto tidy = [](Source& from, Trace& where) -> Task<> {
        co_await from.plain;
        for (const bool all : {true, false})
            try {
                if (all)
                    co_await whenAll(collect(from.number, where), Task<>());
                else
                    co_await whenAny(Task<>(), collect(from.number, where));
            } catch (const std::logic_error&) {
                where.emplace_back("logic_error");
            }
    };
    Task<> task = started(context, tidy(source, trace));
    task.cancel();
    CHECK(pumpUntil([&] { return task.isDone(); }, patience(1s)));
    CHECK(trace == Trace{"gone", "logic_error", "logic_error"});
    CHECK(source.number.connectionCount() == 0);
}

TEST_CASE("a task within a time that does not care that it was cancelled ends with the time") {
    ManualClock clock;
    Object context;
    Source source;
    const auto limited = [](Signal<int>& signal) -> Task<std::string> {
        const auto deaf = [](Signal<int>& its) -> Task<> {
            for (;;)
                co_await its;
        };
        const auto done = co_await within(1h, deaf(signal));
        co_return done ? "done" : done.error().message();
    };
    Task<std::string> task = started(context, limited(source.number));
    SUBCASE("that comes later") {
        task.cancel();
        pumpIdle();
    }
    SUBCASE("that comes in the same turn") { task.cancel(); }
    CHECK_FALSE(task.isDone());
    clock.advance(1h);
    CHECK(pumpUntil([&] { return task.isDone(); }, patience(1s)));
    REQUIRE(task.isDone());
    CHECK(task.result() == messageOf(std::errc::timed_out));
}

TEST_CASE("of tasks side by side one may throw, and one may delete the context") {
    Logged logged;
    Source source;
    Trace trace;
    Object context;
    const auto throws = [](Signal<int>& signal) -> Task<std::string> {
        try {
            co_await whenAll(giveLater(signal), fails(true), fails(false));
        } catch (const std::runtime_error& error) {
            co_return error.what();
        }
        co_return "";
    };
    Task<std::string> task = started(context, throws(source.number));
    pumpIdle();
    CHECK_FALSE(task.isDone());
    source.number(1);
    REQUIRE(task.isDone());
    CHECK(task.result() == "it had to be");
    CHECK(logged.linesWith("it had to be") == 1);

    for (const bool later : {false, true}) {
        trace.clear();
        auto* const victim = new Object;
        const auto deletes = [](Object* what, bool wait) -> Task<> {
            if (wait)
                co_await sleepFor(0ms);
            delete what;
        };
        const auto all = [](Object* what, bool wait, Source& from, Trace& where, auto deleting) -> Task<> {
            const Local local(where, "gone");
            co_await whenAll(collect(from.number, where), deleting(what, wait), collect(from.number, where));
            where.emplace_back("never");
        };
        start(victim, all(victim, later, source, trace, deletes));
        CHECK(pumpUntil([&] { return !trace.empty(); }));
        pumpIdle();
        CHECK(trace.back() == "gone");
        CHECK(std::count(trace.begin(), trace.end(), "gone") == (later ? 3 : 2));
        CHECK(std::count(trace.begin(), trace.end(), "never") == 0);
    }
    CHECK(source.number.connectionCount() == 0);
}

TEST_CASE("a thousand tasks, dropped in the midst of everything") {
    Object context;
    Source source;
    int sum = 0;
    const auto adds = [](Source& from, int& all) -> Task<> {
        for (;;) {
            co_await sleepFor(0ms);
            const auto value = co_await from.number;
            if (!value)
                co_return;
            all += *value;
        }
    };
    std::vector<Task<>> tasks;
    for (int i = 0; i != 1000; ++i) {
        tasks.push_back(adds(source, sum));
        REQUIRE(tasks.back().start(&context));
    }
    const auto allWait = [&] { return source.number.connectionCount() == tasks.size(); };
    CHECK(pumpUntil(allWait));
    source.number(1);
    CHECK(sum == 1000);
    CHECK(pumpUntil(allWait));
    source.plain.connect([&] { tasks.erase(tasks.begin() + 100, tasks.end() - 100); });
    source.plain();
    source.number(1);
    CHECK(sum == 1200);
    CHECK(pumpUntil(allWait));
}

// --- threads ---

TEST_CASE("a task runs on the thread of its context, wherever the signal is emitted") {
    Thread thread;
    REQUIRE(thread.start());
    auto* const far = new Source;
    thread.finished.connect(far, &Object::deleteLater);
    Object context;
    Trace trace;
    REQUIRE(far->moveToThread(&thread));
    start(&context, collect(far->number, trace));
    for (int i = 1; i <= 3; ++i) {
        thread.eventLoop()->post([far, i] { far->number(i); });
        CHECK(pumpUntil([&] { return trace.size() == static_cast<std::size_t>(i); }));
    }
    SUBCASE("and ends when the signal dies there") {
        thread.quit();
        thread.wait();
        CHECK(pumpUntil([&] { return trace.size() == 5; }));
        CHECK(trace == Trace{"1", "2", "3", messageOf(std::errc::owner_dead), "gone"});
    }
}

TEST_CASE("a task moves with its context, deadline and all") {
    Thread thread;
    REQUIRE(thread.start());
    auto* const context = new Object;
    thread.finished.connect(context, &Object::deleteLater);
    Thread* where = nullptr;
    std::atomic<bool> done = false;
    const auto moves = [](Thread** place, std::atomic<bool>& flag) -> Task<> {
        co_await sleepFor(1ms);
        *place = Thread::current();
        co_await sleepFor(1ms);
        flag = true;
    };
    start(context, moves(&where, done));
    REQUIRE(context->moveToThread(&thread));
    CHECK(pumpUntilElsewhere([&] { return done.load(); }));
    CHECK(where == &thread);
}

TEST_CASE("a context is not moved while its task is on the stack") {
    Logged logged;
    Thread thread;
    REQUIRE(thread.start());
    Object context;
    bool moved = true;
    start(&context, moveLater(context, thread, moved));
    CHECK(pumpUntil([&] { return context.children().empty(); }));
    CHECK_FALSE(moved);
    CHECK(logged.linesWith("post the move") == 1);
}

TEST_CASE("nor by a slot of its task's end, nor by a part of a task that awaits several") {
    Logged logged;
    Thread thread;
    REQUIRE(thread.start());
    Object context;
    bool moved = true;
    const auto sleeps = []() -> Task<> { co_await sleepFor(0ms); };
    const auto awaitsBoth = [](Object& what, Thread& to, bool& so) -> Task<> {
        co_await whenAll(moveLater(what, to, so), give(1));
    };
    const auto awaitsOne = [](Object& what, Thread& to, bool& so) -> Task<> {
        co_await within(1h, moveLater(what, to, so));
    };
    SUBCASE("the end") {
        start(&context, sleeps());
        auto& running = static_cast<RunningTask&>(*context.children().front());
        running.finished.connect(&context, [&] { moved = context.moveToThread(&thread); });
    }
    SUBCASE("one of two") { start(&context, awaitsBoth(context, thread, moved)); }
    SUBCASE("within a time") { start(&context, awaitsOne(context, thread, moved)); }
    CHECK(pumpUntil([&] { return context.children().empty(); }));
    CHECK_FALSE(moved);
    CHECK(logged.linesWith("post the move") == 1);
}

TEST_CASE("signals that are emitted, and die, on one thread, while tasks that await them are dropped on another") {
    Thread thread;
    REQUIRE(thread.start());
    for (std::ptrdiff_t round = 0; round != 50; ++round) {
        auto* const far = new Source;
        Object context;
        std::vector<Task<int>> tasks;
        for (int i = 0; i != 4; ++i) {
            tasks.push_back(giveLater(far->number));
            tasks.back().start(&context);
        }
        REQUIRE(far->moveToThread(&thread));
        thread.eventLoop()->post([far, round] {
            if (round % 3 != 0)
                far->number(1);
            delete far;
        });
        tasks.erase(tasks.begin(), tasks.begin() + round % 4);
        if (round % 2 != 0)
            continue;
        CHECK(pumpUntil(
            [&] { return std::all_of(tasks.begin(), tasks.end(), [](const auto& each) { return each.isDone(); }); }));
        for (Task<int>& each : tasks)
            CHECK(each.result() == (round % 3 != 0 ? 1 : -1));
    }
}
