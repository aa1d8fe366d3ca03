#include <halyard/core/event_loop.h>

#include <halyard/core/fd_notifier.h>
#include <halyard/core/fd_watcher.h>
#include <halyard/core/object.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>

#include "fresh_thread.h"
#include "pipe.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_same_v<uv_loop_s, uv_loop_t>);
static_assert(!std::is_constructible_v<EventLoop, int>);

/// The application's uv loop, with a timer of its own that ends a run when patience is over.
class Host {
  public:
    Host() {
        CHECK(uv_loop_init(&loop) == 0);
        uv_timer_init(&loop, &timer);
        uv_timer_init(&loop, &giveUp_);
        uv_unref(reinterpret_cast<uv_handle_t*>(&giveUp_));
        uv_prepare_init(&loop, &turn_);
        uv_unref(reinterpret_cast<uv_handle_t*>(&turn_));
        turn_.data = this;
        uv_prepare_start(&turn_, [](uv_prepare_t* handle) { ++static_cast<Host*>(handle->data)->turns; });
    }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    /// Closes its own handles, runs once more, as the host of any handle does, and expects nothing to be
    /// left.
    ~Host() {
        uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
        uv_close(reinterpret_cast<uv_handle_t*>(&giveUp_), nullptr);
        uv_close(reinterpret_cast<uv_handle_t*>(&turn_), nullptr);
        uv_run(&loop, UV_RUN_NOWAIT);
        CHECK(uv_loop_close(&loop) == 0);
    }

    /// As long as `condition` does not hold: the host's own handles keep the loop alive.
    template <class Condition>
    bool runUntil(Condition condition) {
        late_ = false;
        giveUp_.data = this;
        uv_timer_start(
            &giveUp_, [](uv_timer_t* handle) { static_cast<Host*>(handle->data)->late_ = true; },
            static_cast<std::uint64_t>(patience().count()), 0);
        uv_ref(reinterpret_cast<uv_handle_t*>(&giveUp_));
        while (!condition() && !late_)
            uv_run(&loop, UV_RUN_ONCE);
        uv_timer_stop(&giveUp_);
        uv_unref(reinterpret_cast<uv_handle_t*>(&giveUp_));
        return !late_;
    }

    uv_loop_t loop{};
    uv_timer_t timer{}; ///< the application's, for whatever it likes
    int turns = 0;

  private:
    uv_timer_t giveUp_{};
    uv_prepare_t turn_{};
    bool late_ = false;
};

/// Both, in the order in which an application has them.
template <class Body>
void withHost(Body body) {
    onFreshThread([&] {
        Host host;
        {
            EventLoop loop(&host.loop);
            body(host, loop);
        }
    });
}

} // namespace

TEST_CASE("a hosted loop is its thread's until it ends, and the host may close its own afterwards") {
    onFreshThread([] {
        Host host;
        {
            EventLoop loop(&host.loop);
            CHECK(EventLoop::current() == &loop);
            CHECK(Object().loop() == &loop);
            CHECK(loop.uvLoop() == &host.loop);
        }
        CHECK(EventLoop::current() != nullptr);
        CHECK(EventLoop::current()->uvLoop() != &host.loop);
    });
}

TEST_CASE("a host runs its loop to the end where nothing is watched") {
    withHost([](Host& host, EventLoop& loop) {
        Timer timer; // nobody waits for a timer of ours alone
        timer.start(1h);
        loop.post([] {});
        CHECK(uv_run(&host.loop, UV_RUN_DEFAULT) == 0);
    });
}

TEST_CASE("what is watched keeps the host's loop alive, until it is no more") {
    withHost([](Host& host, EventLoop&) {
        const Pipe pipe;
        auto notifier = std::make_unique<FdNotifier>(pipe.reader(), FdNotifier::Read);
        int told = 0;
        notifier->activated.connect([&](int) {
            pipe.drain();
            if (++told == 1)
                CHECK(pipe.put("y"));
            else
                notifier.reset();
        });
        SUBCASE("a notifier alone") { CHECK(pipe.put("x")); }
        SUBCASE("a timer, as long as a notifier is there") {
            Timer::singleShot(5ms, notifier.get(), [&] { CHECK(pipe.put("x")); });
        }
        CHECK(uv_run(&host.loop, UV_RUN_DEFAULT) == 0);
        CHECK(told == 2);
        CHECK(notifier == nullptr);
    });
}

TEST_CASE("a Unix signal is told in a host's loop, and keeps it alive") {
    withHost([](Host& host, EventLoop&) {
        auto signal = std::make_unique<UnixSignal>(SIGUSR1);
        int got = 0;
        signal->received.connect([&](int) {
            ++got;
            signal.reset();
        });
        ::raise(SIGUSR1);
        CHECK(uv_run(&host.loop, UV_RUN_DEFAULT) == 0);
        CHECK(got == 1);
    });
}

TEST_CASE("the host's handles and ours take turns") {
    withHost([](Host& host, EventLoop& loop) {
        int theirs = 0;
        host.timer.data = &theirs;
        uv_timer_start(
            &host.timer, [](uv_timer_t* handle) { ++*static_cast<int*>(handle->data); }, 1, 1);
        int zero = 0;
        Timer zeroTimer;
        zeroTimer.timeout.connect([&] { ++zero; });
        zeroTimer.start(0ms);
        int ours = 0;
        Timer timer;
        timer.timeout.connect([&] { ++ours; });
        timer.start(1ms);
        int posted = 0;
        std::function<void()> again = [&] {
            ++posted;
            loop.post([&] { again(); });
        };
        again();
        CHECK(host.runUntil([&] { return theirs >= 5 && zero >= 5 && ours >= 5 && posted >= 5; }));
        uv_timer_stop(&host.timer);
    });
}

TEST_CASE("timers in a host's loop are not early, and nothing spins meanwhile") {
    withHost([](Host& host, EventLoop&) {
        Timer timer;
        int fired = 0;
        timer.timeout.connect([&] { ++fired; });
        const auto begin = std::chrono::steady_clock::now();
        timer.start(20ms);
        const int before = host.turns;
        CHECK(host.runUntil([&] { return fired == 5; }));
        CHECK(std::chrono::steady_clock::now() - begin >= 100ms);
        CHECK(host.turns - before <= 15);
    });
}

TEST_CASE("a post from another thread wakes a host's loop that sleeps") {
    withHost([](Host& host, EventLoop& loop) {
        int ran = 0;
        std::thread other([&] {
            for (int i = 0; i != 10; ++i) {
                std::this_thread::sleep_for(2ms); // so that most of them find it asleep
                loop.post([&] { ++ran; });
            }
        });
        CHECK(host.runUntil([&] { return ran == 10; }));
        other.join();
        CHECK(host.turns <= 40);
    });
}

TEST_CASE("a host that goes turn by turn is back when one has done something, before it would wait") {
    withHost([](Host& host, EventLoop&) {
        bool isDone = false;
        Timer timer;
        timer.setSingleShot(true);
        timer.timeout.connect([&] { isDone = true; });
        timer.start(2ms);
        // In the turn after this the timer goes off before the host's loop polls.
        uv_timer_start(
            &host.timer, [](uv_timer_t*) { std::this_thread::sleep_for(10ms); }, 1, 0);
        CHECK(host.runUntil([&] { return isDone; }));
    });
}

TEST_CASE("many posts from other threads arrive in order in a host's loop") {
    withHost([](Host& host, EventLoop& loop) {
        constexpr int posts = 20'000;
        int next[2] = {};
        bool inOrder = true;
        const auto poster = [&](int t) {
            for (int i = 0; i != posts; ++i)
                loop.post([&, t, i] { inOrder = inOrder && next[t]++ == i; });
        };
        std::thread a(poster, 0);
        std::thread b(poster, 1);
        CHECK(host.runUntil([&] { return next[0] + next[1] == 2 * posts; }));
        a.join();
        b.join();
        CHECK(inOrder);
    });
}

TEST_CASE("objects are deleted later in a host's loop, from its callbacks and from other threads") {
    withHost([](Host& host, EventLoop& loop) {
        int gone = 0;
        const auto make = [&] {
            auto* const object = new Object;
            object->destroyed.connect([&] { ++gone; });
            return object;
        };
        make()->deleteLater();
        CHECK(host.runUntil([&] { return gone == 1; }));
        loop.post([&] { make()->deleteLater(); });
        CHECK(host.runUntil([&] { return gone == 2; }));
        Object* const third = make();
        std::thread other([&] { third->deleteLater(); });
        CHECK(host.runUntil([&] { return gone == 3; }));
        other.join();
    });
}

TEST_CASE("a watcher works in a host's loop") {
    struct Watcher final : FdWatcher {
        void dispatch() override {
            ready |= takeReady();
            ++calls;
        }
        std::uint32_t ready = readiness::None;
        int calls = 0;
    };
    withHost([](Host& host, EventLoop&) {
        const Pipe pipe;
        Watcher watcher;
        CHECK(watcher.watch(pipe.reader(), readiness::Readable) == 0);
        CHECK(pipe.put("x"));
        CHECK(host.runUntil([&] { return watcher.calls >= 3; }));
        CHECK(watcher.ready == readiness::Readable);
        watcher.unwatch();
    });
}

TEST_CASE("what a host's callback does to our objects is seen in the same turn") {
    withHost([](Host& host, EventLoop&) {
        struct Both {
            Timer timer;
            int fired = 0;
        } both;
        both.timer.setSingleShot(true);
        both.timer.timeout.connect([&] { ++both.fired; });
        host.timer.data = &both;
        uv_timer_start(
            &host.timer, [](uv_timer_t* handle) { static_cast<Both*>(handle->data)->timer.start(1ms); }, 1, 0);
        CHECK(host.runUntil([&] { return both.fired == 1; }));
        CHECK(host.turns <= 8);
        uv_timer_stop(&host.timer);
    });
}

TEST_CASE("exec and processEvents are refused in a host's loop") {
    withHost([](Host& host, EventLoop& loop) {
        Logged logged;
        CHECK(loop.exec() == -1);
        CHECK_FALSE(loop.processEvents());
        CHECK(logged.linesWith("host") == 2);
        int code = 0;
        loop.post([&] { code = loop.exec(); });
        CHECK(host.runUntil([&] { return code != 0; }));
        CHECK(code == -1);
        CHECK(logged.linesWith("host") == 1);
        loop.quit(); // there is no exec to end
        loop.exit(3);
        CHECK(logged.lines().empty());
    });
}

TEST_CASE("a slot may end the hosted loop") {
    onFreshThread([] {
        Host host;
        auto loop = std::make_unique<EventLoop>(&host.loop);
        const auto alive = std::make_shared<int>();
        int after = 0;
        int gone = 1;
        SUBCASE("a task, with others behind it") {
            loop->post([&] { loop.reset(); });
            loop->post([&, alive] { ++after; });
            loop->post([&, alive] { ++after; });
        }
        SUBCASE("a timer, with others behind it") {
            Timer first;
            Timer second;
            first.timeout.connect([&] { loop.reset(); });
            second.timeout.connect([&] { ++after; });
            first.start(0ms);
            second.start(0ms);
            CHECK(host.runUntil([&] { return loop == nullptr; }));
        }
        SUBCASE("a notifier") {
            const Pipe pipe;
            CHECK(pipe.put("x"));
            FdNotifier notifier(pipe.reader(), FdNotifier::Read);
            notifier.activated.connect([&](int) { loop.reset(); });
            CHECK(host.runUntil([&] { return loop == nullptr; }));
        }
        SUBCASE("an object's end, with others behind it") {
            auto* const first = new Object;
            auto* const second = new Object;
            first->destroyed.connect([&] { loop.reset(); });
            second->destroyed.connect([&] { ++gone; });
            first->deleteLater();
            second->deleteLater();
            gone = 0;
        }
        CHECK(host.runUntil([&] { return loop == nullptr; }));
        CHECK(gone == 1);
        CHECK(after == 0);
        CHECK(alive.use_count() == 1);
    });
}

TEST_CASE("objects outlive the hosted loop, and are idle then") {
    onFreshThread([] {
        Host host;
        auto loop = std::make_unique<EventLoop>(&host.loop);
        auto object = std::make_unique<Object>();
        auto asked = std::make_unique<Object>();
        Timer timer;
        int fired = 0;
        timer.timeout.connect([&] { ++fired; });
        timer.start(0ms);
        const Pipe pipe;
        CHECK(pipe.put("x"));
        FdNotifier notifier(pipe.reader(), FdNotifier::Read);
        notifier.activated.connect([&](int) { ++fired; });
        UnixSignal signal(SIGUSR1);
        loop.reset();
        CHECK(object->loop() == nullptr);
        CHECK_FALSE(signal.isValid());
        asked->deleteLater();
        asked.reset();
        pumpIdle();
        CHECK(fired == 0);
        // Another one comes, and objects live in that.
        EventLoop next;
        Timer other;
        other.timeout.connect([&] { ++fired; });
        other.start(0ms);
        CHECK(pumpUntil([&] { return fired == 1; }));
        CHECK(object->loop() == &next);
    });
}

TEST_CASE("a hosted loop on a thread that has one already is not the thread's") {
    onFreshThread([] {
        Host host;
        EventLoop first;
        {
            EventLoop hosted(&host.loop);
            CHECK(EventLoop::current() == &first);
            CHECK(Object().loop() == &first);
            int ran = 0;
            hosted.post([&] { ++ran; });
            CHECK(host.runUntil([&] { return ran == 1; }));
        }
        CHECK(EventLoop::current() == &first);
    });
}

TEST_CASE("an exception out of a slot in a host's loop is logged and ends the program") {
    const Pipe said;
    const char* thrown = "of a task";
    std::function<void(std::exception_ptr)> handler;
    SUBCASE("without a handler") {}
    SUBCASE("out of its handler") {
        thrown = "of a handler";
        handler = [](const std::exception_ptr&) { throw std::runtime_error("of a handler"); };
    }
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        setLogSink([&](LogLevel level, std::string_view, std::string_view text) {
            if (level == LogLevel::Critical)
                (void)said.put(text);
        });
        std::signal(SIGABRT, SIG_DFL);
        std::set_terminate(std::abort); // which says nothing more
        withHost([&](Host& host, EventLoop& loop) {
            loop.setExceptionHandler(handler);
            loop.post([] { throw std::runtime_error("of a task"); });
            host.runUntil([] { return false; });
        });
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
    char text[256] = {};
    CHECK(::read(said.reader(), text, sizeof text - 1) > 0);
    CHECK(std::string(text).find(thrown) != std::string::npos);
}

TEST_CASE("an exception out of a slot in a host's loop goes to the handler, and the rest runs in the next turn") {
    withHost([](Host& host, EventLoop& loop) {
        std::string order;
        loop.setExceptionHandler([&](const std::exception_ptr& exception) {
            try {
                std::rethrow_exception(exception);
            } catch (const std::runtime_error& error) {
                order += error.what();
            }
        });
        Timer timer;
        timer.timeout.connect([&] {
            order += 't';
            timer.stop();
            throw std::runtime_error("T");
        });
        timer.start(0ms);
        loop.post([&] {
            order += 'a';
            throw std::runtime_error("A");
        });
        loop.post([&] { order += 'b'; });
        CHECK(host.runUntil([&] { return order.size() == 5; }));
        CHECK(order == "aAbtT");
    });
}

TEST_CASE("exec and processEvents are refused in a callback of libuv, from inside the loop's own turn") {
    onFreshThread([] {
        Logged logged;
        EventLoop loop;
        struct Asked {
            EventLoop* loop;
            int code = 0;
            bool ran = true;
        } asked{&loop};
        uv_timer_t timer{};
        uv_timer_init(loop.uvLoop(), &timer);
        timer.data = &asked;
        uv_timer_start(
            &timer,
            [](uv_timer_t* handle) {
                Asked& its = *static_cast<Asked*>(handle->data);
                its.loop->post([] {});
                its.code = its.loop->exec();
                its.ran = its.loop->processEvents();
                uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
            },
            0, 0);
        CHECK(loop.processEvents());
        CHECK(asked.code == -1);
        CHECK_FALSE(asked.ran);
        CHECK(logged.linesWith("callback of libuv") == 2);
        CHECK_FALSE(loop.processEvents());
    });
}
