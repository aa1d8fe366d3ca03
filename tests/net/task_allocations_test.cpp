// Not under the sanitizers, which have allocations of their own, and keep no spare memory from who looks for them.
#include <halyard/signals/sanitizers.h>

#if !defined(HALYARD_ADDRESS_SANITIZER) && !defined(HALYARD_THREAD_SANITIZER)

#include <halyard/core/event_loop.h>
#include <halyard/core/task.h>
#include <halyard/net/awaitables.h>

#include "tcp_pair.h"

#include <doctest/doctest.h>
#include <pump.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string_view>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

std::atomic<std::size_t> allocations = 0;

} // namespace

// Counted in the whole program; arrays come here too.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}
void* operator new(std::size_t size) {
    if (void* const memory = operator new(size, std::nothrow))
        return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace {

/// How many allocations `times` rounds cost, when as many were there before.
template <class Round>
std::size_t allocationsOf(int times, Round round) {
    for (int i = 0; i != times; ++i)
        round();
    const std::size_t before = allocations;
    for (int i = 0; i != times; ++i)
        round();
    return allocations - before;
}

/// What the two ends allocate for messages that go to and fro; `serve` sees to the answers.
template <class Serve>
std::size_t allocationsOfEcho(Serve serve) {
    TcpPair pair;
    serve(*pair.near);
    EventLoop& loop = *EventLoop::current();
    return allocationsOf(100, [&] {
        pair.far->write("there\n");
        while (pair.far->bytesAvailable() == 0)
            loop.processEvents(1s);
        pair.far->skip(pair.far->bytesAvailable());
    });
}

std::size_t allocationsWithSlots() {
    return allocationsOfEcho([](TcpSocket& socket) {
        socket.readyRead.connect(&socket, [&socket] {
            socket.readAll();
            socket.write("back\n");
        });
    });
}

template <class Read>
std::size_t allocationsWithTasks(Read read) {
    return allocationsOfEcho([read](TcpSocket& socket) {
        const auto echo = [](TcpSocket& with, Read how) -> Task<> {
            while (co_await how(with)) {
                with.readAll();
                with.write("back\n");
            }
        };
        start(&socket, echo(socket, read));
    });
}

} // namespace

TEST_CASE("a task that awaits what it awaited before allocates nothing") {
    SUBCASE("a signal") {
        Object context;
        Signal<int> number;
        int sum = 0;
        const auto adds = [](Signal<int>& signal, int& all) -> Task<> {
            while (const auto value = co_await signal)
                all += *value;
        };
        start(&context, adds(number, sum));
        CHECK(allocationsOf(100, [&] { number(1); }) == 0);
        CHECK(sum == 200);
    }
    SUBCASE("time") {
        Object context;
        int turns = 0;
        const auto counts = [](int& all) -> Task<> {
            for (;; ++all)
                co_await sleepFor(0ms);
        };
        start(&context, counts(turns));
        CHECK(allocationsOf(100, [&] {
                  const int before = turns;
                  while (turns == before)
                      EventLoop::current()->processEvents(1s);
              }) == 0);
    }
    SUBCASE("bytes, beside what their sockets allocate") {
        const std::size_t slots = allocationsWithSlots();
        CHECK(allocationsWithTasks([](TcpSocket& socket) { return readSome(socket); }) == slots);
        CHECK(allocationsWithTasks([](TcpSocket& socket) { return readable(socket, 1h); }) == slots);
        CHECK(allocationsWithTasks([](TcpSocket& socket) { return readLine(socket, 1h); }) == slots);
        CHECK(allocationsWithTasks([](TcpSocket& socket) { return readExactly(socket, 6); }) == slots);
    }
}

TEST_CASE("a task allocates its frame, and where it is started one object") {
    Object context;
    const auto nothing = []() -> Task<> { co_return; };
    const auto twice = [](auto inner) -> Task<> {
        co_await inner();
        co_await inner();
    };
    CHECK(allocationsOf(10, [&] { start(&context, nothing()); }) == 2 * 10);
    CHECK(allocationsOf(10, [&] { start(&context, twice(nothing)); }) == 4 * 10);
}

#endif
