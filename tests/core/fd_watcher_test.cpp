#include <halyard/core/fd_watcher.h>

#include <halyard/core/event_loop.h>

#include "fresh_thread.h"
#include "pipe.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

using namespace halyard;
using namespace halyard::test;

namespace {

static_assert(std::is_base_of_v<Dispatchable, FdWatcher>);
static_assert(!std::is_copy_constructible_v<FdWatcher> && !std::is_move_constructible_v<FdWatcher>);
static_assert(!std::is_default_constructible_v<FdWatcher>, "only who derives from it has one");
static_assert(noexcept(std::declval<FdWatcher&>().setInterest(0)));
static_assert(noexcept(std::declval<FdWatcher&>().unwatch()));
static_assert((readiness::Readable & readiness::Writable) == 0 && (readiness::HangUp & readiness::Error) == 0);

struct Watcher final : FdWatcher {
    void dispatch() override {
        ++calls;
        seen = takeReady();
        CHECK(takeReady() == readiness::None);
        const auto copy = action; // which may delete us
        copy();
    }
    using FdWatcher::addReady;
    using FdWatcher::schedule;
    int calls = 0;
    std::uint32_t seen = readiness::None;
    std::function<void()> action = [] {};
};

} // namespace

TEST_CASE("a watcher is called in every turn in which its descriptor is ready") {
    const Pipe pipe;
    Watcher watcher;
    CHECK_FALSE(watcher.isWatching());
    CHECK(watcher.watch(pipe.reader(), readiness::Readable) == 0);
    CHECK(watcher.isWatching());
    CHECK(watcher.interest() == readiness::Readable);
    CHECK_FALSE(EventLoop::current()->processEvents());
    REQUIRE(pipe.put("x"));
    for (int turn = 1; turn <= 3; ++turn) {
        CHECK(EventLoop::current()->processEvents());
        CHECK(watcher.calls == turn);
        CHECK(watcher.seen == readiness::Readable);
    }
    pipe.drain();
    CHECK_FALSE(EventLoop::current()->processEvents());
}

TEST_CASE("interest changes what is watched, and none watches nothing") {
    const Pipe pipe;
    REQUIRE(pipe.put("x"));
    Watcher watcher;
    REQUIRE(watcher.watch(pipe.reader(), readiness::None) == 0);
    CHECK(watcher.isWatching());
    CHECK_FALSE(EventLoop::current()->processEvents());
    watcher.setInterest(readiness::Readable);
    CHECK(EventLoop::current()->processEvents());
    watcher.setInterest(readiness::None);
    CHECK_FALSE(EventLoop::current()->processEvents());
    CHECK(watcher.calls == 1);
}

TEST_CASE("a socket is readable, writable and hung up at once") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    Watcher watcher;
    REQUIRE(watcher.watch(ends[0], readiness::Readable | readiness::Writable | readiness::HangUp) == 0);
    CHECK((::fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    EventLoop::current()->processEvents();
    CHECK(watcher.seen == readiness::Writable);
    REQUIRE(::shutdown(ends[1], SHUT_WR) == 0);
    EventLoop::current()->processEvents();
    CHECK(watcher.seen == (readiness::Readable | readiness::Writable | readiness::HangUp));
    watcher.unwatch();
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("what cannot be watched is said by its errno") {
    Watcher watcher;
    SUBCASE("no descriptor") { CHECK(watcher.watch(-1, readiness::Readable) == EBADF); }
    SUBCASE("a closed one") {
        const int fd = ::dup(0);
        ::close(fd);
        CHECK(watcher.watch(fd, readiness::Readable) == EBADF);
    }
    SUBCASE("a regular file") {
        const int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        REQUIRE(fd >= 0);
        CHECK(watcher.watch(fd, readiness::Readable) == EPERM);
        ::close(fd);
    }
    SUBCASE("one that the loop watches already") {
        const Pipe pipe;
        Watcher first;
        REQUIRE(first.watch(pipe.reader(), readiness::Readable) == 0);
        CHECK(watcher.watch(pipe.reader(), readiness::Readable) == EEXIST);
        first.unwatch();
        CHECK(watcher.watch(pipe.reader(), readiness::Readable) == 0);
        watcher.unwatch();
    }
    CHECK_FALSE(watcher.isWatching());
    CHECK(watcher.interest() == readiness::None);
}

TEST_CASE("watching another descriptor, or the same anew, ends the first watch") {
    const Pipe first;
    const Pipe second;
    REQUIRE(first.put("x"));
    Watcher watcher;
    REQUIRE(watcher.watch(first.reader(), readiness::Readable) == 0);
    CHECK(watcher.watch(first.reader(), readiness::Readable) == 0);
    CHECK(EventLoop::current()->processEvents());
    CHECK(watcher.watch(second.reader(), readiness::Readable) == 0);
    CHECK_FALSE(EventLoop::current()->processEvents());
    REQUIRE(second.put("x"));
    CHECK(EventLoop::current()->processEvents());
}

TEST_CASE("a descriptor that is closed while it is watched tells nobody, once its watcher has gone") {
    const Pipe pipe;
    REQUIRE(pipe.put("x"));
    {
        Watcher watcher;
        const int fd = ::dup(pipe.reader()); // by which the kernel still watches the pipe when the number is gone
        REQUIRE(watcher.watch(fd, readiness::Readable) == 0);
        ::close(fd);
        CHECK(watcher.setInterest(readiness::Writable) == EBADF);
        CHECK(watcher.interest() == readiness::Readable);
    }
    CHECK_FALSE(EventLoop::current()->processEvents());
    const Pipe another; // has the number again
    Watcher watcher;
    CHECK(watcher.watch(another.reader(), readiness::Readable) == 0);
    watcher.unwatch();
}

TEST_CASE("a broken connection is told to whoever listens for nothing else") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    Watcher watcher;
    REQUIRE(watcher.watch(ends[0], readiness::Urgent) == 0);
    CHECK_FALSE(EventLoop::current()->processEvents());
    ::close(ends[1]);
    CHECK(EventLoop::current()->processEvents());
    CHECK(watcher.seen == readiness::Urgent);
    watcher.unwatch();
    ::close(ends[0]);
}

TEST_CASE("the write end of a pipe without reader is an error, and is watched no more") {
    Pipe pipe;
    pipe.fill();
    Watcher watcher;
    REQUIRE(watcher.watch(pipe.writer(), readiness::Writable) == 0);
    CHECK_FALSE(EventLoop::current()->processEvents());
    pipe.closeReader();
    CHECK(EventLoop::current()->processEvents());
    CHECK((watcher.seen & readiness::Error) != 0);
    CHECK(watcher.interest() == readiness::None);
    CHECK_FALSE(EventLoop::current()->processEvents());
    watcher.unwatch();
}

TEST_CASE("what was gathered is forgotten when watching ends") {
    const Pipe pipe;
    REQUIRE(pipe.put("x"));
    auto first = std::make_unique<Watcher>();
    auto second = std::make_unique<Watcher>();
    const Pipe other;
    REQUIRE(other.put("x"));
    // Whichever comes first ends the other.
    int calls = 0;
    first->action = [&] {
        ++calls;
        second->unwatch();
    };
    second->action = [&] {
        ++calls;
        first.reset();
    };
    REQUIRE(first->watch(pipe.reader(), readiness::Readable) == 0);
    REQUIRE(second->watch(other.reader(), readiness::Readable) == 0);
    EventLoop::current()->processEvents();
    CHECK(calls == 1);
}

TEST_CASE("a watcher may be deleted by what it calls, and its descriptor closed and used anew") {
    auto watcher = std::make_unique<Watcher>();
    auto pipe = std::make_unique<Pipe>();
    REQUIRE(pipe->put("x"));
    Watcher next;
    std::unique_ptr<Pipe> another;
    watcher->action = [&] {
        const int fd = pipe->reader();
        watcher.reset();
        pipe.reset();
        another = std::make_unique<Pipe>();
        CHECK(another->reader() == fd);
        CHECK(next.watch(another->reader(), readiness::Readable) == 0);
    };
    REQUIRE(watcher->watch(pipe->reader(), readiness::Readable) == 0);
    CHECK(EventLoop::current()->processEvents());
    CHECK_FALSE(EventLoop::current()->processEvents());
    REQUIRE(another->put("x"));
    CHECK(EventLoop::current()->processEvents());
    CHECK(next.calls == 1);
    next.unwatch();
}

TEST_CASE("readiness that another has seen is dispatched with the rest") {
    Watcher watcher;
    watcher.addReady(readiness::HangUp);
    watcher.schedule();
    CHECK(EventLoop::current()->processEvents());
    CHECK(watcher.seen == readiness::HangUp);
}

TEST_CASE("a watcher that outlives its loop watches nothing") {
    const Pipe pipe;
    std::unique_ptr<Watcher> watcher;
    onFreshThread([&] {
        watcher = std::make_unique<Watcher>();
        CHECK(watcher->watch(pipe.reader(), readiness::Readable) == 0);
    });
    CHECK_FALSE(watcher->isWatching());
    CHECK(watcher->watch(pipe.reader(), readiness::Readable) == EINVAL);
    watcher->setInterest(readiness::Readable);
    watcher->schedule();
}
