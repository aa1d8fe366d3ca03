// A program with a poll(2) loop of its own, which knows of ours a descriptor and a time.
#include <halyard/core/event_loop.h>

#include <halyard/core/fd_notifier.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>

#include "fresh_thread.h"
#include "pipe.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <pump.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

using RealClock = std::chrono::steady_clock;

/// The program: its own pipe beside our loop.
struct Program {
    EventLoop& loop = *EventLoop::current();
    Pipe own;
    int turns = 0;
    int ownBytes = 0;

    template <class Condition>
    bool runUntil(Condition condition) {
        const auto end = RealClock::now() + patience();
        while (!condition()) {
            if (RealClock::now() > end)
                return false;
            pollfd watched[2] = {{loop.backendFd(), POLLIN, 0}, {own.reader(), POLLIN, 0}};
            const auto timeout = loop.backendTimeout();
            ::poll(watched, 2, timeout ? static_cast<int>(std::min<std::int64_t>(timeout->count(), 1000)) : 1000);
            if (watched[1].revents != 0)
                ownBytes += static_cast<int>(own.drain());
            loop.processEvents();
            ++turns;
        }
        return true;
    }
};

/// Two connected sockets of the system.
struct SocketPair {
    SocketPair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0); }
    SocketPair(const SocketPair&) = delete;
    SocketPair& operator=(const SocketPair&) = delete;
    ~SocketPair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    int ends[2] = {-1, -1};
};

} // namespace

TEST_CASE("timers of a loop that poll drives are not early, not late, and nothing spins") {
    onFreshThread([] {
        Program program;
        std::vector<RealClock::duration> late;
        Timer timer;
        RealClock::time_point due;
        const auto start = [&] {
            due = RealClock::now() + 20ms;
            timer.start(20ms);
        };
        timer.timeout.connect([&] {
            late.push_back(RealClock::now() - due);
            start();
        });
        start();
        CHECK(program.runUntil([&] { return late.size() == 5; }));
        for (const auto each : late)
            CHECK(each >= 0ms);
        CHECK(*std::min_element(late.begin(), late.end()) < patience(5ms)); // the least: others use the machine, too
        CHECK(program.turns <= 15);
    });
}

TEST_CASE("posts from other threads wake a poll that sleeps") {
    onFreshThread([] {
        Program program;
        int ran = 0;
        std::thread other([&] {
            for (int i = 0; i != 10; ++i) {
                std::this_thread::sleep_for(2ms); // so that most of them find it asleep
                program.loop.post([&] { ++ran; });
            }
        });
        CHECK(program.runUntil([&] { return ran == 10; }));
        other.join();
        CHECK(program.turns <= 40);
    });
}

TEST_CASE("sockets, timers, posts and the program's own descriptor take turns under poll") {
    onFreshThread([] {
        Program program;
        const SocketPair sockets;
        std::string got;
        // An echo on one end, and a client on the other that sends when an answer has come.
        FdNotifier server(sockets.ends[0], FdNotifier::Read);
        server.activated.connect([](int fd) {
            char buffer[64];
            const ssize_t size = ::read(fd, buffer, sizeof buffer);
            CHECK(::write(fd, buffer, static_cast<std::size_t>(size)) == size);
        });
        FdNotifier client(sockets.ends[1], FdNotifier::Read);
        client.activated.connect([&](int fd) {
            char buffer[64];
            got.append(buffer, static_cast<std::size_t>(::read(fd, buffer, sizeof buffer)));
            CHECK(::write(fd, "x", 1) == 1);
        });
        int ticks = 0;
        Timer timer;
        timer.timeout.connect([&] { ++ticks; });
        timer.start(1ms);
        int posts = 0;
        std::function<void()> again = [&] {
            ++posts;
            CHECK(program.own.put("y"));
            Timer::singleShot(1ms, &timer, [&] { program.loop.post([&] { again(); }); });
        };
        again();
        CHECK(::write(sockets.ends[1], "x", 1) == 1); // before the loop has run even once
        CHECK(program.runUntil([&] { return got.size() >= 50 && ticks >= 5 && posts >= 5 && program.ownBytes >= 5; }));
        CHECK(got == std::string(got.size(), 'x'));
    });
}

TEST_CASE("what is watched between two polls is seen by the second") {
    onFreshThread([] {
        Program program;
        program.loop.processEvents();
        const Pipe pipe;
        CHECK(pipe.put("x"));
        FdNotifier notifier(pipe.reader(), FdNotifier::Read);
        int told = 0;
        notifier.activated.connect([&](int) { told += static_cast<int>(pipe.drain()); });
        const auto begin = RealClock::now();
        CHECK(program.runUntil([&] { return told == 1; }));
        CHECK(RealClock::now() - begin < 900ms); // and not when the poll's own second is over
        CHECK(program.turns <= 4);
    });
}

TEST_CASE("a program that has nothing to do sleeps in its poll") {
    onFreshThread([] {
        Program program;
        const Pipe pipe;
        FdNotifier notifier(pipe.reader(), FdNotifier::Read);
        Timer timer;
        timer.start(1h);
        program.runUntil([&] { return program.turns == 3; });
        CHECK(program.loop.backendTimeout() > 59min);
        timer.stop();
        CHECK_FALSE(program.loop.backendTimeout().has_value());
        program.loop.post([] {});
        CHECK(program.loop.backendTimeout() == 0ms);
        program.loop.processEvents();
        Object context;
        context.destroyed.connect([] {});
        (new Object)->deleteLater();
        CHECK(program.loop.backendTimeout() == 0ms);
        program.loop.processEvents();
        CHECK_FALSE(program.loop.backendTimeout().has_value());
    });
}

TEST_CASE("what a program's own callback does while it sleeps by an older answer wakes it") {
    onFreshThread([] {
        Program program;
        Pipe pipe;
        Timer timer;
        std::optional<FdNotifier> notifier;
        std::optional<UnixSignal> signal;
        const auto asleep = [&program] {
            pollfd watched{program.loop.backendFd(), POLLIN, 0};
            return ::poll(&watched, 1, 0) == 0;
        };
        program.loop.processEvents();
        while (program.loop.backendTimeout().has_value())
            program.loop.processEvents();
        CHECK(asleep());

        SUBCASE("a timer") { timer.start(1h); }
        SUBCASE("a task") {
            program.loop.post([] {});
        }
        SUBCASE("a deletion") { (new Object)->deleteLater(); }
        const auto watch = [&] {
            notifier.emplace(pipe.reader(), FdNotifier::Read);
            notifier->activated.connect([&](int) { pipe.drain(); });
        };
        SUBCASE("a notifier of what is ready") {
            CHECK(pipe.put("x"));
            watch();
        }
        SUBCASE("a notifier of what becomes ready") {
            watch();
            CHECK(asleep());
            CHECK(pipe.put("x"));
        }
        SUBCASE("a notifier that is enabled") {
            watch();
            notifier->setEnabled(false);
            program.loop.processEvents();
            CHECK_FALSE(program.loop.backendTimeout().has_value());
            CHECK(pipe.put("x"));
            CHECK(asleep());
            notifier->setEnabled(true);
        }
        SUBCASE("a signal") { signal.emplace(SIGWINCH); }
        CHECK_FALSE(asleep());
        program.loop.processEvents();
        program.loop.backendTimeout();
        CHECK(asleep());
    });
}

TEST_CASE("an exception does not cross a foreign loop's frames: it goes to the handler, and the rest is done next") {
    onFreshThread([] {
        EventLoop& loop = *EventLoop::current();
        std::string caught;
        int after = 0;
        loop.setExceptionHandler([&](const std::exception_ptr& exception) {
            try {
                std::rethrow_exception(exception);
            } catch (const std::exception& error) {
                caught = error.what();
            }
        });
        loop.post([] { throw std::runtime_error("over board"); });
        loop.post([&] { ++after; });
        loop.driveOnce();
        CHECK(caught == "over board");
        CHECK(after == 0);
        CHECK(loop.backendTimeout() == 0ms);
        loop.driveOnce();
        CHECK(after == 1);
    });
}
