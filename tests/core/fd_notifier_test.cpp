#include <halyard/core/fd_notifier.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>

#include "fresh_thread.h"
#include "pipe.h"
#include "turn_counter.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pump.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_base_of_v<Object, FdNotifier>);
static_assert(!std::is_copy_constructible_v<FdNotifier> && !std::is_move_constructible_v<FdNotifier>);
static_assert(std::is_constructible_v<FdNotifier, int, FdNotifier::Type, Object*>);
static_assert(!std::is_default_constructible_v<FdNotifier> && !std::is_constructible_v<FdNotifier, int>);
static_assert(std::is_same_v<decltype(std::declval<FdNotifier&>().setEnabled(true)), bool>);
static_assert(noexcept(std::declval<const FdNotifier&>().descriptor()));

struct SocketPair {
    SocketPair() { CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0); }
    SocketPair(const SocketPair&) = delete;
    SocketPair& operator=(const SocketPair&) = delete;
    ~SocketPair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    int ends[2] = {-1, -1};
};

} // namespace

TEST_CASE("a notifier tells in every turn that its descriptor is ready, until it is read") {
    const Pipe pipe;
    Object parent;
    FdNotifier notifier(pipe.reader(), FdNotifier::Read, &parent);
    CHECK(notifier.descriptor() == pipe.reader());
    CHECK(notifier.type() == FdNotifier::Read);
    CHECK(notifier.isEnabled());
    CHECK(notifier.parent() == &parent);
    int told = 0;
    notifier.activated.connect([&](int fd) {
        CHECK(fd == pipe.reader());
        ++told;
    });
    pumpIdle();
    CHECK(told == 0);
    REQUIRE(pipe.put("x"));
    for (int turn = 1; turn <= 3; ++turn) {
        EventLoop::current()->processEvents();
        CHECK(told == turn);
    }
    pipe.drain();
    pumpIdle();
    CHECK(told == 3);
}

TEST_CASE("readers and writers of one descriptor share it") {
    const SocketPair pair;
    std::string order;
    FdNotifier reading(pair.ends[0], FdNotifier::Read);
    FdNotifier writing(pair.ends[0], FdNotifier::Write);
    FdNotifier readingToo(pair.ends[0], FdNotifier::Read);
    CHECK(reading.isEnabled());
    CHECK(writing.isEnabled());
    CHECK(readingToo.isEnabled());
    reading.activated.connect([&](int) { order += 'r'; });
    writing.activated.connect([&](int) { order += 'w'; });
    readingToo.activated.connect([&](int) { order += 'R'; });
    EventLoop::current()->processEvents();
    CHECK(order == "w");
    REQUIRE(::write(pair.ends[1], "x", 1) == 1);
    EventLoop::current()->processEvents();
    CHECK(order == "wrwR");
    CHECK(writing.setEnabled(false));
    EventLoop::current()->processEvents();
    CHECK(order == "wrwRrR");
    CHECK(reading.setEnabled(false));
    CHECK(readingToo.setEnabled(false));
    CHECK_FALSE(EventLoop::current()->processEvents());
    CHECK(writing.setEnabled(true));
    CHECK(writing.setEnabled(true));
    EventLoop::current()->processEvents();
    CHECK(order == "wrwRrRw");
}

TEST_CASE("a notifier may be disabled or deleted in the slot of one that shares its descriptor") {
    const SocketPair pair;
    REQUIRE(::write(pair.ends[1], "x", 1) == 1);
    std::string order;
    auto first = std::make_unique<FdNotifier>(pair.ends[0], FdNotifier::Read);
    auto second = std::make_unique<FdNotifier>(pair.ends[0], FdNotifier::Write);
    second->activated.connect([&](int) { order += '2'; });
    SUBCASE("itself disabled") {
        first->activated.connect([&](int) {
            order += '1';
            first->setEnabled(false);
        });
        EventLoop::current()->processEvents();
        EventLoop::current()->processEvents();
        CHECK(order == "122");
    }
    SUBCASE("itself deleted") {
        first->activated.connect([&](int) {
            order += '1';
            first.reset();
        });
        EventLoop::current()->processEvents();
        EventLoop::current()->processEvents();
        CHECK(order == "122");
    }
    SUBCASE("the other one disabled") {
        first->activated.connect([&](int) {
            order += '1';
            second->setEnabled(false);
        });
        EventLoop::current()->processEvents();
        EventLoop::current()->processEvents();
        CHECK(order == "11");
    }
    SUBCASE("both deleted") {
        first->activated.connect([&](int) {
            order += '1';
            second.reset();
            first.reset();
        });
        EventLoop::current()->processEvents();
        CHECK_FALSE(EventLoop::current()->processEvents());
        CHECK(order == "1");
    }
    SUBCASE("the other one disabled and enabled: from the next turn on") {
        first->activated.connect([&](int) {
            order += '1';
            second->setEnabled(false);
            second->setEnabled(true);
        });
        EventLoop::current()->processEvents();
        CHECK(order == "1");
        first->setEnabled(false);
        EventLoop::current()->processEvents();
        CHECK(order == "12");
    }
    SUBCASE("a new one made: from the next turn on") {
        std::unique_ptr<FdNotifier> third;
        first->activated.connect([&](int) {
            order += '1';
            first->setEnabled(false);
            third = std::make_unique<FdNotifier>(pair.ends[0], FdNotifier::Read);
            third->activated.connect([&](int) { order += '3'; });
        });
        EventLoop::current()->processEvents();
        CHECK(order == "12");
        EventLoop::current()->processEvents();
        CHECK(order == "1223");
    }
}

TEST_CASE("a notifier that is disabled in its slot does not keep a nested loop busy") {
    EventLoop& loop = *EventLoop::current();
    const Pipe pipe;
    REQUIRE(pipe.put("x"));
    FdNotifier notifier(pipe.reader(), FdNotifier::Read);
    int turns = 0;
    notifier.activated.connect([&](int) {
        notifier.setEnabled(false);
        Timer end;
        end.setSingleShot(true);
        end.timeout.connect([&] { loop.quit(); });
        end.start(50ms);
        TurnCounter counter(loop);
        loop.exec();
        turns = counter.turns();
    });
    loop.processEvents();
    CHECK(turns >= 1);
    CHECK(turns <= 4);
}

TEST_CASE("a slot may delete its notifier, close the descriptor, and watch what gets the number next") {
    auto pipe = std::make_unique<Pipe>();
    std::unique_ptr<Pipe> another;
    std::unique_ptr<FdNotifier> next;
    auto notifier = std::make_unique<FdNotifier>(pipe->reader(), FdNotifier::Read);
    int told = 0;
    REQUIRE(pipe->put("x"));
    notifier->activated.connect([&](int fd) {
        notifier.reset();
        pipe.reset();
        another = std::make_unique<Pipe>();
        CHECK(another->reader() == fd);
        next = std::make_unique<FdNotifier>(fd, FdNotifier::Read);
        next->activated.connect([&](int) { ++told; });
        CHECK(next->isEnabled());
    });
    CHECK(EventLoop::current()->processEvents());
    pumpIdle();
    CHECK(told == 0);
    REQUIRE(another->put("x"));
    EventLoop::current()->processEvents();
    CHECK(told == 1);
    next.reset();
}

TEST_CASE("a slot that throws leaves the notifiers as they are") {
    const SocketPair pair;
    REQUIRE(::write(pair.ends[1], "x", 1) == 1);
    auto first = std::make_unique<FdNotifier>(pair.ends[0], FdNotifier::Read);
    FdNotifier second(pair.ends[0], FdNotifier::Read);
    int told = 0;
    first->activated.connect([&](int) {
        first.reset();
        throw 1;
    });
    second.activated.connect([&](int) { ++told; });
    CHECK_THROWS_AS(EventLoop::current()->processEvents(), int);
    CHECK(told == 0);
    EventLoop::current()->processEvents();
    CHECK(told == 1);
}

TEST_CASE("an end of file and a broken pipe count as ready") {
    Pipe pipe;
    int told = 0;
    SUBCASE("the reader of a pipe that nobody writes") {
        FdNotifier notifier(pipe.reader(), FdNotifier::Read);
        notifier.activated.connect([&](int) { ++told; });
        pipe.closeWriter();
        EventLoop::current()->processEvents();
        EventLoop::current()->processEvents();
        CHECK(told == 2);
    }
    SUBCASE("the writer of a pipe that nobody reads") {
        pipe.fill();
        FdNotifier notifier(pipe.writer(), FdNotifier::Write);
        notifier.activated.connect([&](int) { ++told; });
        EventLoop::current()->processEvents();
        CHECK(told == 0);
        pipe.closeReader();
        EventLoop::current()->processEvents();
        EventLoop::current()->processEvents();
        CHECK(told == 2);
        CHECK(notifier.isEnabled());
    }
}

TEST_CASE("a descriptor that cannot be watched is refused with a sentence") {
    Logged logged;
    SUBCASE("none") {
        FdNotifier notifier(-1, FdNotifier::Read);
        CHECK_FALSE(notifier.isEnabled());
        CHECK(logged.linesWith("cannot watch descriptor -1: Bad file descriptor") == 1);
        CHECK_FALSE(notifier.setEnabled(true));
        CHECK(logged.linesWith("cannot watch") == 1);
        CHECK(notifier.setEnabled(false));
    }
    SUBCASE("a closed one") {
        const int fd = ::dup(0);
        ::close(fd);
        FdNotifier notifier(fd, FdNotifier::Write);
        CHECK_FALSE(notifier.isEnabled());
        CHECK(logged.linesWith("Bad file descriptor") == 1);
    }
    SUBCASE("a regular file") {
        const int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        REQUIRE(fd >= 0);
        FdNotifier notifier(fd, FdNotifier::Read);
        CHECK_FALSE(notifier.isEnabled());
        CHECK(logged.linesWith("Operation not permitted") == 1);
        ::close(fd);
    }
    CHECK(logged.lines().empty());
}

TEST_CASE("a notifier is not enabled or disabled from a foreign thread") {
    const Pipe pipe;
    REQUIRE(pipe.put("x"));
    FdNotifier notifier(pipe.reader(), FdNotifier::Read);
    Logged logged;
    onFreshThread([&] { CHECK_FALSE(notifier.setEnabled(false)); });
    CHECK(notifier.isEnabled());
    notifier.setEnabled(false);
    onFreshThread([&] { CHECK_FALSE(notifier.setEnabled(true)); });
    CHECK_FALSE(notifier.isEnabled());
    CHECK(logged.linesWith("thread") == 2);
}

TEST_CASE("notifiers of different threads watch the same descriptor") {
    const SocketPair pair;
    FdNotifier mine(pair.ends[0], FdNotifier::Write);
    int told = 0;
    mine.activated.connect([&](int) { ++told; });
    onFreshThread([&] {
        int toldThere = 0;
        FdNotifier theirs(pair.ends[0], FdNotifier::Write);
        theirs.activated.connect([&](int) { ++toldThere; });
        CHECK(pumpUntil([&] { return toldThere != 0; }));
    });
    EventLoop::current()->processEvents();
    CHECK(told == 1);
}

TEST_CASE("a notifier that outlives its thread is silent") {
    const Pipe pipe;
    std::unique_ptr<FdNotifier> notifier;
    onFreshThread([&] { notifier = std::make_unique<FdNotifier>(pipe.reader(), FdNotifier::Read); });
    CHECK_FALSE(notifier->isEnabled());
    notifier.reset();
}

TEST_CASE("a notifier may outlive the main thread's loop") {
    static const Pipe pipe;
    static FdNotifier outliving(pipe.reader(), FdNotifier::Read);
    CHECK(outliving.isEnabled());
}
