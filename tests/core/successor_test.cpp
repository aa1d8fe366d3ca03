// Handing over to another process. The successors are shells: what they find is the protocol itself.
#include <halyard/core/clock.h>
#include <halyard/core/fd_notifier.h>
#include <halyard/core/signal_spy.h>
#include <halyard/core/successor.h>
#include <halyard/core/timer.h>

#include "pipe.h"

#include <doctest/doctest.h>
#include <plain_socket.h>
#include <pump.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* sayReady = R"(eval "echo >&$HALYARD_READY_FD")";

std::vector<std::string> shell(const std::string& script) { return {"sh", "-c", script}; }

} // namespace

TEST_CASE("a successor gets what it was given, from number 3 on, and says that it is ready") {
    int ends[2] = {};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    PlainSocket report(ends[0]);
    PlainSocket output(ends[1]);
    Successor successor(
        shell(std::string(R"([ "$LISTEN_PID" = "$$" ] || exit 3; echo "$LISTEN_FDS $LISTEN_FDNAMES" >&3; )") +
              "echo again >&4; exec 3>&- 4>&-; " + sayReady));
    successor.give(output.descriptor(), "a:b");
    successor.give(output.descriptor(), "");
    SignalSpy<> ready(successor.ready);
    REQUIRE(successor.start());
    CHECK(successor.processId() > 0);
    CHECK(ready.wait(patience()));
    output.close();
    std::string said(100, '\0');
    std::size_t size = 0;
    for (ssize_t got = 1; got > 0; size += static_cast<std::size_t>(std::max<ssize_t>(got, 0)))
        got = ::read(report.descriptor(), said.data() + size, said.size() - size);
    CHECK(said.substr(0, size) == "2 a=b:\nagain\n");
    ::waitpid(successor.processId(), nullptr, 0);
}

TEST_CASE("a successor that does not get so far is a sentence, and no process is left") {
    struct Case {
        std::vector<std::string> command;
        std::chrono::milliseconds limit;
        std::string why;
    };
    const std::vector<Case> cases{
        {shell("exit 7"), patience(),
         "the successor does not take over: it ended before it was ready, with exit code 7"},
        {shell("exec sleep 1000"), 20ms, "the successor does not take over: it was not ready in time"},
        {{"/nowhere/at/all"}, patience(), "cannot start a successor: '/nowhere/at/all' cannot be executed"},
    };
    for (const Case& each : cases) {
        Successor successor(each.command);
        SignalSpy<std::string> failed(successor.failed);
        REQUIRE(successor.start(each.limit));
        const pid_t process = successor.processId();
        REQUIRE(failed.wait(patience()));
        CHECK(std::get<0>(failed[0]) == each.why);
        CHECK(successor.errorString() == each.why);
        CHECK(successor.processId() == -1);
        CHECK(::kill(process, 0) != 0);
    }
}

TEST_CASE("a second start is refused, and so is none") {
    Successor none({});
    CHECK_FALSE(none.start());
    CHECK(none.errorString() == "cannot start a successor: there is no command");
    Successor successor(shell("exec sleep 1000"));
    REQUIRE(successor.start());
    CHECK_FALSE(successor.start());
    CHECK(successor.errorString() == "cannot start a successor: it was started already");
}

TEST_CASE("who deletes one that is not ready ends it") {
    auto successor = std::make_unique<Successor>(shell("exec sleep 1000"));
    REQUIRE(successor->start());
    const pid_t process = successor->processId();
    successor.reset();
    CHECK(::kill(process, 0) != 0);
    CHECK(errno == ESRCH);
}

TEST_CASE("a slot of either signal may delete the successor") {
    for (const char* script : {sayReady, "exit 1"}) {
        auto* const successor = new Successor(shell(script));
        bool over = false;
        const auto end = [&] {
            delete successor;
            over = true;
        };
        successor->ready.connect(end);
        successor->failed.connect(end);
        REQUIRE(successor->start());
        const pid_t process = successor->processId();
        CHECK(pumpUntil([&] { return over; }));
        ::waitpid(process, nullptr, 0);
    }
}

TEST_CASE("a successor that serves outlives the time that it had, whatever else the object has for children") {
    const Pipe pipe;
    ManualClock clock;
    Successor successor(shell(std::string(sayReady) + "; exec sleep 1000"));
    auto* const timer = new Timer(&successor);
    timer->start(5h);
    const FdNotifier notifier(pipe.reader(), FdNotifier::Read, &successor);
    SignalSpy<> ready(successor.ready);
    REQUIRE(successor.start(1h));
    CHECK(pumpUntil([&] { return !ready.isEmpty(); }));
    clock.advance(2h);
    const pid_t process = successor.processId();
    REQUIRE(process > 0);
    CHECK(::kill(process, SIGKILL) == 0);
    ::waitpid(process, nullptr, 0);
    CHECK(timer->isActive());
    CHECK(notifier.isEnabled());
}
