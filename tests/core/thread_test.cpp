#include <halyard/core/thread.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>

#include "fresh_thread.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_base_of_v<Object, Thread>);
static_assert(!std::is_copy_constructible_v<Thread> && !std::is_convertible_v<Object*, Thread>);

/// A thread that does what a test says.
class Runner : public Thread {
  public:
    explicit Runner(std::function<void(Runner&)> body) : body_(std::move(body)) {}
    ~Runner() override {
        quit();
        wait();
    }
    using Thread::exec;

  protected:
    void run() override { body_(*this); }

  private:
    std::function<void(Runner&)> body_;
};

/// What `task` gives when it runs in the loop of `thread`.
template <class F>
auto ask(Thread& thread, F task) {
    std::promise<decltype(task())> promise;
    auto answer = promise.get_future();
    thread.eventLoop()->post([&] { promise.set_value(task()); });
    return answer.get();
}

} // namespace

TEST_CASE("a thread has a loop when start returns, and none when it has finished") {
    Thread thread;
    CHECK_FALSE(thread.isRunning());
    CHECK_FALSE(thread.isFinished());
    CHECK(thread.eventLoop() == nullptr);
    CHECK(thread.start());
    CHECK(thread.isRunning());
    CHECK_FALSE(thread.isFinished());
    REQUIRE(thread.eventLoop() != nullptr);
    CHECK(thread.start()); // it runs: nothing happens
    CHECK(ask(thread, [] { return Thread::current(); }) == &thread);
    CHECK(ask(thread, [] { return EventLoop::current(); }) == thread.eventLoop());
    CHECK(ask(thread, [] { return std::this_thread::get_id(); }) != std::this_thread::get_id());
    thread.quit();
    CHECK(thread.wait());
    CHECK_FALSE(thread.isRunning());
    CHECK(thread.isFinished());
    CHECK(thread.eventLoop() == nullptr);
}

TEST_CASE("started and finished are emitted on the thread, finished when it does not run any more") {
    Thread thread;
    std::string order;
    std::vector<std::thread::id> where;
    thread.started.connect([&] {
        order += thread.isRunning() && thread.eventLoop() != nullptr ? 's' : '?';
        where.push_back(std::this_thread::get_id());
    });
    thread.finished.connect([&] {
        order += !thread.isRunning() && thread.isFinished() && thread.eventLoop() == nullptr ? 'f' : '?';
        where.push_back(std::this_thread::get_id());
    });
    thread.start();
    const auto its = ask(thread, [] { return std::this_thread::get_id(); });
    thread.quit();
    CHECK(thread.wait());
    CHECK(order == "sf");
    CHECK(where == std::vector<std::thread::id>{its, its});
}

TEST_CASE("a thread starts again when it has finished") {
    Thread thread;
    int started = 0;
    thread.started.connect([&] { ++started; });
    for (int i = 1; i <= 3; ++i) {
        CHECK(thread.start());
        CHECK(thread.isRunning());
        CHECK(ask(thread, [&] { return started; }) == i);
        thread.quit();
        if (i != 2)
            CHECK(thread.wait()); // else start() does
        else
            while (!thread.isFinished())
                std::this_thread::yield();
    }
}

TEST_CASE("a thread is waited for as long as asked, and one that was never started not at all") {
    Thread thread;
    CHECK(thread.wait());
    thread.start();
    CHECK_FALSE(thread.wait(0ms));
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(thread.wait(20ms));
    CHECK(std::chrono::steady_clock::now() - begin >= 20ms);
    thread.quit();
    CHECK(thread.wait(patience()));
    CHECK(thread.wait(0ms));
}

TEST_CASE("a thread may be waited for longer than the clock reaches") {
    Thread thread;
    thread.start();
    ask(thread, [&] {
        auto* const quits = new Timer; // which waits for the wait to begin: else nothing would be waited for
        quits->timeout.connect([&] { thread.quit(); });
        thread.finished.connect(quits, &Object::deleteLater);
        return quits->start(20ms);
    });
    CHECK(thread.wait(std::chrono::milliseconds::max()));
}

TEST_CASE("several threads may wait for the same one") {
    Thread thread;
    thread.start();
    std::atomic<int> done = 0;
    std::vector<std::thread> waiting;
    for (int i = 0; i != 4; ++i)
        waiting.emplace_back([&] { done += thread.wait() ? 1 : 0; });
    thread.quit();
    for (std::thread& each : waiting)
        each.join();
    CHECK(done == 4);
}

TEST_CASE("a thread cannot wait for itself") {
    Logged logged;
    Thread thread;
    thread.start();
    CHECK_FALSE(ask(thread, [&] { return thread.wait(); }));
    CHECK(logged.linesWith("itself") == 1);
    CHECK_FALSE(Thread::current()->wait());
    CHECK(logged.linesWith("itself") == 1);
}

TEST_CASE("quit before start is ignored; after it, the exec that comes is ended with its code") {
    SUBCASE("before") {
        Thread thread;
        thread.exit(7);
        thread.start();
        CHECK_FALSE(thread.wait(10ms));
        thread.exit(8);
        CHECK(thread.wait());
        CHECK(thread.exitCode() == 8);
    }
    SUBCASE("between") {
        std::promise<void> go;
        int code = 0;
        Runner thread([&](Runner& self) {
            go.get_future().wait();
            EventLoop::current()->processEvents(); // takes the request, which stays
            code = self.exec();
        });
        thread.start();
        thread.exit(33);
        go.set_value();
        CHECK(thread.wait());
        CHECK(code == 33);
        CHECK(thread.exitCode() == 33);
    }
    SUBCASE("from started") {
        Thread thread;
        thread.started.connect([&] { thread.exit(5); });
        thread.start();
        CHECK(thread.wait());
        CHECK(thread.exitCode() == 5);
    }
}

TEST_CASE("quit ends all levels, and none begins before the outermost has returned") {
    std::vector<int> codes;
    Runner thread([&](Runner& self) {
        EventLoop& loop = *EventLoop::current();
        loop.post([&] {
            loop.post([&] {
                loop.post([&] { std::thread([&] { self.exit(3); }).join(); });
                codes.push_back(loop.exec());
                codes.push_back(loop.exec()); // at once: the thread is quitting
            });
            codes.push_back(loop.exec());
        });
        codes.push_back(self.exec());
        loop.post([&] { loop.exit(4); });
        codes.push_back(self.exec()); // run() may go on
    });
    thread.start();
    CHECK(thread.wait());
    CHECK(codes == std::vector<int>{3, 3, 3, 3, 4});
}

TEST_CASE("an exec in the thread is ended by exit as in any loop") {
    std::vector<int> codes;
    Runner thread([&](Runner& self) {
        EventLoop& loop = *EventLoop::current();
        loop.post([&] {
            loop.post([&] { loop.exit(1); });
            codes.push_back(loop.exec());
            loop.exit(2);
        });
        codes.push_back(self.exec());
    });
    thread.start();
    CHECK(thread.wait());
    CHECK(codes == std::vector<int>{1, 2});
}

TEST_CASE("what finished asks to be deleted later is gone when wait returns") {
    for (int i = 0; i != 20; ++i) {
        Thread thread;
        int gone = 0;
        Object* worker = nullptr;
        thread.started.connect([&] {
            worker = new Object;
            worker->destroyed.connect([&] { gone += Thread::current() == &thread ? 1 : 100; });
        });
        thread.finished.connect([&] { worker->deleteLater(); });
        thread.start();
        thread.quit();
        CHECK(thread.wait());
        CHECK(gone == 1);
    }
}

TEST_CASE("a thread that runs quits when its object is destroyed") {
    int finished = 0;
    {
        Thread thread;
        thread.finished.connect([&] { ++finished; });
        thread.start();
    }
    CHECK(finished == 1);
    {
        Object parent;
        auto* const child = new Thread(&parent);
        child->finished.connect([&] { ++finished; });
        child->start();
    }
    CHECK(finished == 2);
}

TEST_CASE("a thread that destroys its own object goes on without it") {
    Logged logged;
    auto* const thread = new Thread;
    std::promise<void> gone;
    auto done = gone.get_future();
    thread->start();
    EventLoop& loop = *thread->eventLoop();
    loop.post([&] {
        delete thread;
        const Object object;
        CHECK(object.thread() == nullptr);
        Thread* const another = Thread::current(); // which stands for it from now on
        CHECK(another != nullptr);
        CHECK(object.thread() == another);
        CHECK(another->eventLoop() == &loop);
        another->quit();
        gone.set_value();
    });
    done.wait();
    CHECK(logged.linesWith("destroyed by itself") == 1);
}

TEST_CASE("start in a slot of its own finished is refused") {
    Logged logged;
    Thread thread;
    bool again = true;
    thread.finished.connect([&] { again = thread.start(); });
    thread.start();
    thread.quit();
    CHECK(thread.wait());
    CHECK_FALSE(again);
    CHECK(logged.linesWith("has finished") == 1);
}

TEST_CASE("exec belongs into run") {
    Logged logged;
    Runner thread([](Runner& self) { self.exec(); });
    thread.start();
    CHECK(thread.exec() == -1);
    CHECK(logged.linesWith("run()") == 1);
}

TEST_CASE("every thread has a Thread, which is there for its objects and for its quit") {
    Thread* const mine = Thread::current();
    REQUIRE(mine != nullptr);
    CHECK(Thread::current() == mine);
    CHECK(mine->isRunning());
    CHECK(mine->eventLoop() == EventLoop::current());
    CHECK(mine->start());
    const Object object;
    CHECK(object.thread() == mine);
    CHECK(mine->thread() == mine);
    onFreshThread([&] {
        Thread* const its = Thread::current();
        REQUIRE(its != nullptr);
        CHECK(its != mine);
        CHECK(object.thread() == mine);
        EventLoop hand;
        CHECK(Thread::current() == its);
        CHECK(its->eventLoop() == &hand);
        const Object here;
        CHECK(here.thread() == its);
        hand.post([&] { its->exit(9); });
        CHECK(hand.exec() == 9);
        const Object* const seen = &here;
        std::thread([&] { CHECK(seen->thread() == its); }).join();
    });
    Thread thread;
    CHECK(thread.thread() == mine);
    thread.start();
    Object* theirs = ask(thread, [] { return new Object; });
    CHECK(theirs->thread() == &thread);
    CHECK(theirs->loop() == thread.eventLoop());
    thread.quit();
    thread.wait();
    CHECK(theirs->thread() == nullptr);
    CHECK(theirs->loop() == nullptr);
    delete theirs;
}

TEST_CASE("loops by hand come and go while others end them by their Thread") {
    onFreshThread([] {
        Thread* const its = Thread::current();
        for (int round = 0; round != 200; ++round) {
            std::vector<std::thread> others;
            {
                EventLoop hand;
                for (int i = 0; i != 2; ++i)
                    others.emplace_back([its] { its->quit(); });
                hand.exec();
            }
            for (std::thread& each : others)
                each.join();
            pumpIdle(1); // what came late ends nothing
        }
    });
}

TEST_CASE("timers run on a thread, and quit from anywhere reaches it") {
    for (int i = 0; i != 20; ++i) {
        Thread thread;
        int ticks = 0;
        std::promise<void> enough;
        thread.started.connect([&] {
            auto* const timer = new Timer;
            timer->timeout.connect([&, timer] {
                if (++ticks == 3) {
                    enough.set_value();
                    delete timer;
                }
            });
            timer->start(0ms);
        });
        thread.start();
        enough.get_future().wait();
        std::thread([&] { thread.quit(); }).join();
        CHECK(thread.wait());
    }
}

TEST_CASE("starts, quits and waits from several threads at once") {
    Thread thread;
    std::vector<std::thread> others;
    for (int t = 0; t != 3; ++t)
        others.emplace_back([&, t] {
            for (int i = 0; i != 200; ++i) {
                switch ((i + t) % 4) {
                case 0:
                    CHECK(thread.start());
                    break;
                case 1:
                    thread.quit();
                    break;
                case 2:
                    thread.wait(0ms);
                    break;
                default:
                    if (thread.isRunning() && thread.isFinished())
                        (void)thread.exitCode();
                }
            }
        });
    for (std::thread& each : others)
        each.join();
    thread.quit();
    CHECK(thread.wait());
}

TEST_CASE("an exception out of run is logged and ends the program") {
    int said[2] = {-1, -1};
    REQUIRE(::pipe(said) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        setLogSink([&](LogLevel level, std::string_view, std::string_view text) {
            if (level == LogLevel::Critical)
                (void)!::write(said[1], text.data(), text.size());
        });
        std::signal(SIGABRT, SIG_DFL);
        std::set_terminate(std::abort);
        Runner thread([](Runner&) { throw std::runtime_error("of a run"); });
        thread.start();
        thread.wait();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    char text[256] = {};
    CHECK(::read(said[0], text, sizeof text - 1) > 0);
    CHECK(std::string(text).find("of a run") != std::string::npos);
    ::close(said[0]);
    ::close(said[1]);
}
