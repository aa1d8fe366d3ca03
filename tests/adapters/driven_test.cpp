// What every foreign loop has to give that drives Halyard: this is linked with each of the hosts beside it.
#include "host.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>
#include <echo.h>
#include <pump.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

using RealClock = std::chrono::steady_clock;

struct Driven {
    std::unique_ptr<Host> host = makeHost();
    EventLoop& loop = *EventLoop::current();

    bool runUntil(const std::function<bool()>& condition) const { return host->runUntil(condition, patience()); }
};

} // namespace

TEST_CASE("timers are not early, not late, and nothing spins meanwhile") {
    const Driven driven;
    std::vector<RealClock::duration> late;
    Timer timer;
    RealClock::time_point due;
    const auto start = [&] {
        due = RealClock::now() + 10ms;
        timer.start(10ms);
    };
    timer.timeout.connect([&] {
        late.push_back(RealClock::now() - due);
        start();
    });
    start();
    CHECK(driven.runUntil([&] { return late.size() == 8; }));
    for (const auto each : late)
        CHECK(each >= 0ms);
    CHECK(*std::min_element(late.begin(), late.end()) < patience(5ms)); // the least: others use the machine, too
    CHECK(driven.host->turns <= 40);
}

TEST_CASE("a host that has nothing to do sleeps") {
    const Driven driven;
    Timer timer;
    timer.start(1h);
    Echo echo;
    echo.begin();
    CHECK(driven.runUntil([&] { return echo.got.size() == 3; }));
    echo.client.abort();
    bool over = false;
    driven.host->after(20ms, [&] { over = true; }); // what there is to do about the end
    CHECK(driven.runUntil([&] { return over; }));
    over = false;
    const int before = driven.host->turns;
    driven.host->after(50ms, [&] { over = true; });
    CHECK(driven.runUntil([&] { return over; }));
    CHECK(driven.host->turns - before <= 4);
}

TEST_CASE("posts from another thread wake a host that sleeps") {
    const Driven driven;
    int ran = 0;
    std::thread other([&] {
        for (int i = 0; i != 10; ++i) {
            std::this_thread::sleep_for(2ms); // so that most of them find it asleep
            driven.loop.post([&] { ++ran; });
        }
    });
    CHECK(driven.runUntil([&] { return ran == 10; }));
    other.join();
    CHECK(driven.host->turns <= 50);
}

TEST_CASE("a server, a client and a timer take turns with the host's own timer") {
    const Driven driven;
    Echo echo;
    Timer timer;
    int ours = 0;
    int theirs = 0;
    timer.timeout.connect([&] { ++ours; });
    timer.start(3ms);
    bool stop = false;
    std::function<void()> again = [&] {
        if (std::exchange(stop, false))
            return;
        ++theirs;
        driven.host->after(3ms, again);
    };
    again();
    echo.begin();
    CHECK(driven.runUntil([&] { return echo.got.size() >= 100 && ours >= 5 && theirs >= 5; }));
    CHECK(echo.got == std::string(echo.got.size(), 'x'));
    stop = true;
    CHECK(driven.runUntil([&] { return !stop; }));
}

TEST_CASE("what the host's own callback does to our objects is not late") {
    const Driven driven;
    bool done = false;
    Timer timer;
    timer.timeout.connect([&] { done = true; });
    Echo echo;
    bool over = false;
    driven.host->after(5ms, [&] { over = true; });
    CHECK(driven.runUntil([&] { return over; })); // from here on it sleeps
    std::function<void()> act;
    SUBCASE("a timer") {
        act = [&] { timer.start(5ms); };
    }
    SUBCASE("a task") {
        act = [&] { driven.loop.post([&] { done = true; }); };
    }
    SUBCASE("a deletion") {
        auto* const object = new Object;
        object->destroyed.connect([&] { done = true; });
        act = [object] { object->deleteLater(); };
    }
    SUBCASE("a connection") {
        echo.client.readyRead.connect([&] { done = true; });
        act = [&] { echo.begin(); };
    }
    SUBCASE("a write whose end is told") {
        echo.client.connected.connect([&] {
            driven.host->after(5ms, [&] {
                echo.client.bytesWritten.connect([&] { done = true; });
                echo.server.close();
                echo.client.write("y");
            });
        });
        act = [&] { echo.begin(); };
    }
    driven.host->after(5ms, act);
    CHECK(driven.runUntil([&] { return done; }));
}

TEST_CASE("what a slot leaves unread for want of room comes later") {
    const Driven driven;
    constexpr std::size_t all = 2000;
    TcpServer server;
    TcpSocket* peer = nullptr;
    std::size_t got = 0;
    server.newConnection.connect([&] {
        peer = server.nextPendingConnection();
        peer->setReadBufferSize(16);
        peer->readyRead.connect([&] { got += peer->read(16).size(); });
    });
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket client;
    client.connectToHost(HostAddress::LocalHost, server.serverPort());
    client.connected.connect([&] { client.write(std::string(all, 'x')); });
    CHECK(driven.runUntil([&] { return got == all; }));
}

TEST_CASE("an exception that leaves a slot does not end the loop") {
    const Driven driven;
    std::string caught;
    int after = 0;
    const auto say = [&](const std::exception_ptr& exception) {
        try {
            std::rethrow_exception(exception);
        } catch (const std::exception& error) {
            caught = error.what();
        }
    };
    driven.loop.setExceptionHandler(say);
    driven.loop.post([] { throw std::runtime_error("over board"); });
    driven.loop.post([&] { ++after; });
    if (driven.host->exceptionsComeOut()) {
        try {
            driven.runUntil([] { return false; });
        } catch (...) {
            say(std::current_exception());
        }
    }
    CHECK(driven.runUntil([&] { return after == 1; }));
    CHECK(caught == "over board");
    driven.loop.setExceptionHandler({});
}

TEST_CASE("a slot may end the driver: the host then has a loop less") {
    const Driven driven;
    bool over = false;
    int ticks = 0;
    Timer timer;
    timer.timeout.connect([&] { ++ticks; });
    SUBCASE("a task") {
        driven.loop.post([&] { driven.host->endDriver(); });
    }
    SUBCASE("a timer, with others due") {
        Timer::singleShot(5ms, &timer, [&] {
            driven.host->endDriver();
            timer.stop();
        });
        timer.start(5ms);
    }
    driven.host->after(20ms, [&] { over = true; });
    CHECK(driven.runUntil([&] { return over; }));
    over = false;
    const int before = driven.host->turns;
    driven.host->after(20ms, [&] { over = true; });
    CHECK(driven.runUntil([&] { return over; }));
    CHECK(driven.host->turns - before <= 3);
}

TEST_CASE("a slot may turn the host's loop: timers and sockets go on inside") {
    const Driven driven;
    if (!driven.host->mayNest())
        return;
    Echo echo;
    Timer timer;
    int ticks = 0;
    bool inside = false;
    bool outside = false;
    timer.timeout.connect([&] { ++ticks; });
    Timer::singleShot(1ms, &timer, [&] {
        timer.start(5ms); // the host has not heard of it
        inside = driven.runUntil([&] { return ticks == 3; });
        echo.begin();
        inside = driven.runUntil([&] { return echo.got.size() >= 10; }) && inside;
        outside = true;
    });
    CHECK(driven.runUntil([&] { return outside; }));
    CHECK(inside);
    CHECK(driven.runUntil([&] { return ticks >= 6; }));
}

TEST_CASE("a slot may run exec(): the host goes on after it") {
    const Driven driven;
    if (!driven.host->mayExec())
        return;
    Echo echo;
    bool over = false;
    int code = 0;
    echo.client.readyRead.connect([&] {
        if (echo.got.size() == 10)
            driven.loop.exit(7);
    });
    driven.loop.post([&] {
        echo.begin();
        code = driven.loop.exec();
        driven.host->after(1ms, [&] { over = true; });
    });
    CHECK(driven.runUntil([&] { return over && echo.got.size() >= 20; }));
    CHECK(code == 7);
}
