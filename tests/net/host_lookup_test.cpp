#include "names.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/host_lookup.h>
#include <halyard/signals/sanitizers.h>

#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <net/if.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<HostLookup> && !std::is_move_constructible_v<HostLookup>);

namespace {

using Addresses = std::vector<HostAddress>;

const HostAddress four("192.0.2.1");
const HostAddress six("2001:db8::1");

/// Counts how often a lookup has finished.
struct Finishes {
    explicit Finishes(HostLookup& lookup) {
        lookup.finished.connect([this] { ++count; });
    }
    int count = 0;
};

bool pumpToEnd(const HostLookup& lookup) {
    return pumpUntil([&] { return lookup.isFinished(); });
}

} // namespace

TEST_CASE("a fresh lookup is idle, and harmless to abort and to wait for") {
    HostLookup lookup;
    CHECK_FALSE(lookup.isRunning());
    CHECK_FALSE(lookup.isFinished());
    CHECK(lookup.error() == SocketError::None);
    CHECK(lookup.errorString().empty());
    CHECK_FALSE(lookup.waitForFinished(-1));
    lookup.abort();
}

TEST_CASE("a name gives its addresses in the resolver's order, from the loop") {
    const Names names({{"a.test", {six, four}}});
    HostLookup lookup;
    const Finishes finishes(lookup);
    REQUIRE(lookup.start("a.test"));
    CHECK(lookup.isRunning());
    CHECK(lookup.name() == "a.test");
    REQUIRE(pumpToEnd(lookup));
    CHECK(lookup.addresses() == Addresses{six, four});
    CHECK(lookup.error() == SocketError::None);
    CHECK(lookup.errorString().empty());
    pumpIdle();
    CHECK(finishes.count == 1);
}

TEST_CASE("a name that nobody has is an error with a sentence, and the next lookup clears it") {
    const Names names({{"a.test", {four}}});
    HostLookup lookup;
    REQUIRE(lookup.start("b.test"));
    REQUIRE(pumpToEnd(lookup));
    CHECK(lookup.error() == SocketError::HostNotFound);
    CHECK(lookup.errorString() == "cannot find the host b.test: the test does not know it");
    CHECK(lookup.addresses().empty());
    REQUIRE(lookup.start("a.test"));
    CHECK(lookup.error() == SocketError::None);
    REQUIRE(pumpToEnd(lookup));
    CHECK(lookup.error() == SocketError::None);
    CHECK(lookup.addresses() == Addresses{four});
}

TEST_CASE("for addresses and reserved names nobody is asked, and yet the answer comes from the loop") {
    const Names names;
    const Addresses localhost{HostAddress::LocalHostIPv6, HostAddress::LocalHost};
    const auto answerFor = [](const char* name) {
        HostLookup lookup;
        const Finishes finishes(lookup);
        CHECK(lookup.start(name));
        CHECK(finishes.count == 0);
        pumpUntil([&] { return finishes.count != 0; });
        CHECK(lookup.error() == SocketError::None);
        return lookup.addresses();
    };
    CHECK(answerFor("192.0.2.1") == Addresses{four});
    CHECK(answerFor("2001:DB8::1") == Addresses{six});
    CHECK(answerFor("localhost") == localhost);
    CHECK(answerFor("LocalHost.") == localhost);
    CHECK(answerFor("printer.localhost") == localhost);
    CHECK(answerFor("fe80::1%7").front().scopeId() == 7);
    CHECK(answerFor("fe80::1%lo").front().scopeId() == ::if_nametoindex("lo"));
    CHECK(names.asked() == 0);
}

TEST_CASE("what can be no name is not found, for a reason, and nobody is asked for it") {
    const Names names;
    const auto causeFor = [](const std::string& name) {
        HostLookup lookup;
        CHECK(lookup.start(name));
        CHECK(pumpToEnd(lookup));
        CHECK(lookup.error() == SocketError::HostNotFound);
        CHECK(lookup.addresses().empty());
        return lookup.errorString();
    };
    const std::string part(63, 'a');
    CHECK(causeFor("") == "cannot find the host: the name is empty");
    CHECK(causeFor(".") == "cannot find the host .: the name has an empty part");
    CHECK(causeFor("a..b") == "cannot find the host a..b: the name has an empty part");
    CHECK(causeFor(".a") == "cannot find the host .a: the name has an empty part");
    CHECK(causeFor(part + "a.b").ends_with(": the name has a part longer than 63 characters"));
    CHECK(causeFor(part + '.' + part + '.' + part + '.' + part) ==
          "cannot find the host: the name is longer than 253 characters");
    CHECK(causeFor("two words") == "cannot find the host: the name has a character that no name has");
    CHECK(causeFor(std::string("a\0b", 3)) == "cannot find the host: the name has a character that no name has");
    CHECK(causeFor("a/b") == "cannot find the host a/b: the name has a character that no name has");
    for (const char* const number :
         {"127.1", "0x7f.1", "010.0.0.256", "256.0.0.1", "1", "4294967295", "a.7", "1.2.3.4."})
        CHECK(causeFor(number).ends_with(": this is no address, and no name ends in a number"));
    for (const char* const bad : {"fe80::1%nowhere", "[::1]", "::g", "host:80"})
        CHECK(causeFor(bad).ends_with(": this is no address, or it is on no interface that this machine has"));
    CHECK(causeFor("no-such-host.invalid").ends_with(": no name ends in .invalid (RFC 6761)"));
    CHECK(names.asked() == 0);
}

TEST_CASE("names with all that names may have are asked for as they are") {
    const std::string part(63, 'a');
    const std::string longest = part + '.' + part + '.' + part + '.' + part.substr(2);
    const std::vector<std::string> all{longest,     longest + '.', "my_service",
                                       "3com.test", "x-1.test.",   "b\xc3\xbc.test"};
    std::map<std::string, Addresses> known;
    for (const std::string& each : all)
        known[each] = {four};
    const Names names(known);
    for (const std::string& each : all) {
        HostLookup lookup;
        CHECK(lookup.start(each));
        CHECK(pumpToEnd(lookup));
        CHECK(lookup.addresses() == Addresses{four});
    }
}

TEST_CASE("a second start while a lookup is under way is refused with a sentence, and the first goes on") {
    Names names({{"a.test", {four}}});
    names.hold();
    Logged log;
    HostLookup lookup;
    const Finishes finishes(lookup);
    REQUIRE(lookup.start("a.test"));
    CHECK_FALSE(lookup.start("::1"));
    CHECK(log.linesWith("a lookup is under way") == 1);
    CHECK(lookup.name() == "a.test");
    names.release();
    REQUIRE(pumpToEnd(lookup));
    CHECK(lookup.addresses() == Addresses{four});
    CHECK(finishes.count == 1);
}

TEST_CASE("nothing is heard of a lookup that was aborted, whether it was asked for or known") {
    Names names({{"a.test", {four}}, {"b.test", {six}}});
    names.hold();
    HostLookup lookup;
    const Finishes finishes(lookup);
    REQUIRE(lookup.start("a.test"));
    REQUIRE(names.awaitAsking(1));
    lookup.abort();
    CHECK_FALSE(lookup.isRunning());
    CHECK_FALSE(lookup.isFinished());
    REQUIRE(lookup.start("::1"));
    lookup.abort();
    names.release();
    REQUIRE(names.awaitAsking(0));
    pumpIdle();
    CHECK(finishes.count == 0);

    // The answer is on its way already.
    REQUIRE(lookup.start("a.test"));
    HostLookup witness;
    REQUIRE(witness.start("a.test"));
    REQUIRE(witness.waitForFinished());
    REQUIRE(names.awaitAsking(0));
    lookup.abort();
    REQUIRE(lookup.start("b.test"));
    REQUIRE(pumpToEnd(lookup));
    CHECK(finishes.count == 1);
    CHECK(lookup.addresses() == Addresses{six});
}

TEST_CASE("a lookup may be deleted at every stage") {
    Names names({{"a.test", {four}}});
    names.hold();
    auto waitingForAThread = std::make_unique<std::array<HostLookup, 20>>();
    for (HostLookup& each : *waitingForAThread)
        each.start("a.test");
    REQUIRE(names.awaitAsking(8));
    waitingForAThread.reset();

    auto known = std::make_unique<HostLookup>();
    known->start("::1");
    known.reset();
    names.release();
    REQUIRE(names.awaitAsking(0));

    auto answered = std::make_unique<HostLookup>();
    answered->start("a.test");
    HostLookup witness;
    witness.start("a.test");
    REQUIRE(witness.waitForFinished());
    answered.reset();
    pumpIdle();
}

TEST_CASE("deleted in its own slot, from the loop and in a wait") {
    const Names names({{"a.test", {four}}});
    for (const char* const name : {"a.test", "::1"}) {
        for (const bool inWait : {false, true}) {
            bool deleted = false;
            auto* const lookup = new HostLookup;
            lookup->finished.connect([&] {
                delete lookup;
                deleted = true;
            });
            REQUIRE(lookup->start(name));
            if (inWait)
                CHECK(lookup->waitForFinished());
            CHECK(pumpUntil([&] { return deleted; }));
        }
    }
    pumpIdle();
}

TEST_CASE("started anew in its own slot, it finishes again") {
    const Names names({{"a.test", {four}}});
    HostLookup lookup;
    int count = 0;
    lookup.finished.connect([&] {
        if (++count < 4)
            CHECK(lookup.start(count % 2 == 0 ? "a.test" : "::1"));
    });
    REQUIRE(lookup.start("a.test"));
    CHECK(lookup.waitForFinished());
    CHECK(pumpUntil([&] { return count == 4; }));
    CHECK(lookup.isFinished());
}

TEST_CASE("an exception leaves a slot through the loop, and the lookup is whole") {
    const Names names({{"a.test", {four}}});
    HostLookup lookup;
    lookup.finished.connect([] { throw std::runtime_error("slot"); });
    REQUIRE(lookup.start("a.test"));
    CHECK_THROWS_AS(pumpToEnd(lookup), std::runtime_error);
    CHECK(lookup.isFinished());
    REQUIRE(lookup.start("a.test"));
    CHECK_THROWS_AS(lookup.waitForFinished(), std::runtime_error);
    CHECK(lookup.addresses() == Addresses{four});
}

TEST_CASE("a wait needs no loop, runs nothing else, and keeps to its deadline") {
    Names names({{"a.test", {four}}});
    names.hold();
    int others = 0;
    Timer timer;
    timer.timeout.connect([&] { ++others; });
    timer.start(0ms);
    EventLoop::current()->post([&] { ++others; });
    HostLookup lookup;
    const Finishes finishes(lookup);
    lookup.finished.connect(
        &timer, [&] { ++others; }, ConnectionType::Queued);
    REQUIRE(lookup.start("a.test"));
    CHECK_FALSE(lookup.waitForFinished(0));
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(lookup.waitForFinished(50));
    CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
    CHECK_FALSE(lookup.waitForFinished(begin));
    CHECK(lookup.isRunning());
    names.release();
    CHECK(lookup.waitForFinished(-1));
    CHECK(finishes.count == 1);
    CHECK(lookup.waitForFinished(0));
    CHECK(finishes.count == 1);
    CHECK(others == 0);
    CHECK(pumpUntil([&] { return others >= 3; }));
    CHECK(finishes.count == 1);
}

TEST_CASE("what a wait has told, the loop does not tell again, and its slots run as in the loop") {
    struct Probe : Dispatchable {
        using Dispatchable::inDispatch;
        void dispatch() override {}
    } const probe;
    const Names names({{"a.test", {four}}});
    for (const char* const name : {"a.test", "::1"}) {
        HostLookup lookup;
        int count = 0;
        lookup.finished.connect([&] {
            ++count;
            CHECK(probe.inDispatch());
        });
        REQUIRE(lookup.start(name));
        CHECK(lookup.waitForFinished());
        pumpIdle();
        CHECK(count == 1);
    }
}

TEST_CASE("lookups by waits alone, in threads without a loop") {
    const Names names({{"a.test", {four}}});
    std::atomic<int> fine = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i != 10; ++i)
        threads.emplace_back([&] {
            HostLookup lookup;
            const Finishes finishes(lookup);
            if (lookup.start("a.test") && lookup.waitForFinished() && lookup.addresses() == Addresses{four} &&
                lookup.start("::1") && lookup.waitForFinished(0) && finishes.count == 2)
                ++fine;
        });
    for (std::thread& each : threads)
        each.join();
    CHECK(fine == 10);
}

TEST_CASE("a lookup whose thread ends first") {
    Names names({{"a.test", {four}}});
    names.hold();
    std::unique_ptr<HostLookup> left;
    std::thread([&] {
        HostLookup local;
        local.start("a.test");
        left = std::make_unique<HostLookup>();
        left->start("a.test");
        left->finished.connect([] { FAIL("nobody is there to be told"); });
        CHECK(names.awaitAsking(2));
    }).join();
    SUBCASE("dies before the answer comes") {
        left.reset();
        names.release();
    }
    SUBCASE("dies after it") { names.release(); }
    REQUIRE(names.awaitAsking(0));
    HostLookup lookup; // by the time it has its answer, the others' were given
    lookup.start("a.test");
    CHECK(lookup.waitForFinished());
}

TEST_CASE("a hundred at once all get their answers, from eight threads") {
    std::map<std::string, Addresses> known;
    for (std::uint32_t i = 0; i != 100; ++i)
        known["host" + std::to_string(i) + ".test"] = {HostAddress(0xc0000200 + i)};
    Names names(known);
    names.hold();
    std::vector<std::unique_ptr<HostLookup>> lookups;
    int finished = 0;
    for (std::uint32_t i = 0; i != 100; ++i) {
        lookups.push_back(std::make_unique<HostLookup>());
        lookups.back()->finished.connect([&finished] { ++finished; });
        REQUIRE(lookups.back()->start("host" + std::to_string(i) + ".test"));
    }
    REQUIRE(names.awaitAsking(8));
    names.release();
    CHECK(pumpUntil([&] { return finished == 100; }));
    for (std::uint32_t i = 0; i != 100; ++i)
        CHECK(lookups[i]->addresses() == Addresses{HostAddress(0xc0000200 + i)});
    CHECK(names.most() == 8);
    CHECK(names.asked() == 100);
}

TEST_CASE("lookups that hang stop others only until they are aborted") {
    Names names({{"good.test", {four}}});
    names.hold("hung.test");
    std::vector<std::unique_ptr<HostLookup>> hung;
    const auto hang = [&](std::size_t count) {
        for (std::size_t i = 0; i != count; ++i) {
            hung.push_back(std::make_unique<HostLookup>());
            hung.back()->start("hung.test");
        }
    };
    hang(8);
    REQUIRE(names.awaitAsking(8));
    HostLookup good;
    REQUIRE(good.start("good.test"));
    CHECK_FALSE(good.waitForFinished(20));
    hung.front()->abort();
    CHECK(good.waitForFinished());
    CHECK(good.addresses() == Addresses{four});

    // As many as there may be: now they are refused, the waiting ones too, and told why.
    for (int threads = 8; threads != 64; threads += 8) {
        hung.clear();
        hang(8);
        REQUIRE(names.awaitAsking(threads + 8));
    }
    REQUIRE(good.start("good.test"));
    CHECK_FALSE(good.waitForFinished(20));
    hung.clear();
    CHECK(good.waitForFinished());
    CHECK(good.error() == SocketError::Temporary);
    CHECK(good.errorString() ==
          "cannot find the host good.test: as many threads as there may be hang in earlier lookups");
    REQUIRE(good.start("good.test"));
    CHECK(good.isRunning());
    CHECK(good.waitForFinished(0));
    CHECK(good.error() == SocketError::Temporary);
    REQUIRE(good.start("localhost"));
    CHECK(good.waitForFinished());
    CHECK(good.error() == SocketError::None);

    names.release();
    REQUIRE(names.awaitAsking(0));
    CHECK(pumpUntil([&] {
        good.start("good.test");
        return good.waitForFinished() && good.error() == SocketError::None;
    }));
}

TEST_CASE("what a resolver throws is an answer, and one without addresses is none") {
    HostLookup lookup;
    HostLookup::setResolver([](const std::string&) -> HostAnswer { throw std::runtime_error("out of order"); });
    REQUIRE(lookup.start("a.test"));
    HostLookup::setResolver([](const std::string&) -> HostAnswer { throw 7; });
    CHECK(lookup.waitForFinished());
    CHECK(lookup.error() == SocketError::Unknown);
    CHECK(lookup.errorString() == "cannot find the host a.test: out of order");
    REQUIRE(lookup.start("a.test"));
    CHECK(lookup.waitForFinished());
    CHECK(lookup.error() == SocketError::Unknown);
    HostLookup::setResolver([](const std::string&) { return HostAnswer(); });
    REQUIRE(lookup.start("a.test"));
    CHECK(lookup.waitForFinished());
    CHECK(lookup.error() == SocketError::HostNotFound);
    HostLookup::setResolver({});
}

TEST_CASE("the threads leave the application's Unix signals alone") {
    std::atomic<bool> deaf = false;
    HostLookup::setResolver([&](const std::string&) {
        sigset_t blocked;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        deaf = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGINT) == 1;
        return HostAnswer();
    });
    HostLookup lookup;
    REQUIRE(lookup.start("a.test"));
    CHECK(lookup.waitForFinished());
    CHECK(deaf);
    HostLookup::setResolver({});
    sigset_t mine;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    CHECK(sigismember(&mine, SIGTERM) == 0);
}

TEST_CASE("a call from a thread that is not the lookup's is refused with a sentence") {
    Names names({{"a.test", {four}}});
    names.hold();
    Logged log;
    HostLookup lookup;
    REQUIRE(lookup.start("a.test"));
    std::thread([&] {
        lookup.abort();
        CHECK_FALSE(lookup.start("a.test"));
        CHECK_FALSE(lookup.waitForFinished(10));
    }).join();
    CHECK(log.lines().size() == 3);
    names.release();
    CHECK(pumpToEnd(lookup));
}

#ifndef HALYARD_THREAD_SANITIZER // which allows no new thread in the child of a process with several
TEST_CASE("a child process has none of its parent's threads, and gets its own") {
    const Names names({{"a.test", {four}}});
    HostLookup lookup;
    REQUIRE(lookup.start("a.test"));
    REQUIRE(lookup.waitForFinished());
    const pid_t child = ::fork();
    if (child == 0) {
        bool found = false;
        std::thread([&] {
            HostLookup mine;
            found = mine.start("a.test") && mine.waitForFinished(10'000);
        }).join();
        // What the threads had that are not here is nobody's, which a leak check would complain of at the end.
        ::execl("/bin/sh", "sh", "-c", found ? "exit 0" : "exit 1", nullptr);
        ::_exit(2);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
}
#endif

TEST_CASE("left hanging") { // by the test below, in a process of its own
    if (::getenv("HALYARD_TEST_LEAVE_HANGING") == nullptr)
        return;
    static Names& names = *new Names;
    names.hold();
    static HostLookup lookup;
    lookup.start("a.test");
    CHECK(names.awaitAsking(1));
}

TEST_CASE("a resolver that hangs does not hold up the end of the program") {
    std::string self = std::filesystem::read_symlink("/proc/self/exe");
    std::string only = "--test-case=left hanging";
    std::string quiet = "--out=/dev/null";
    char* arguments[] = {self.data(), only.data(), quiet.data(), nullptr};
    std::vector<char*> environment;
    for (char** each = environ; *each != nullptr; ++each)
        environment.push_back(*each);
    std::string leave = "HALYARD_TEST_LEAVE_HANGING=1";
    environment.push_back(leave.data());
    environment.push_back(nullptr);
    pid_t child = -1;
    REQUIRE(::posix_spawn(&child, self.c_str(), nullptr, nullptr, arguments, environment.data()) == 0);
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
}
