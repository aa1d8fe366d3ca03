// Each allocation of a conversation fails once. In processes of their own, for one that may not throw ends the program.
#include "../net/tcp_pair.h"
#include "child.h"
#include "echo_scenario.h"
#include "proxy_scenario.h"
#include "relay_scenario.h"
#include "task_scenario.h"

#include <plain_socket.h>

#include <halyard/net/host_lookup.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <new>
#include <string>
#include <thread>

#include <fcntl.h>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

enum Ending {
    Well = 0,
    Wrongly = 10,
    ByException = 11,
    nothingFailed = 13,
};

/// A conversation, and when memory is to be had again another one, which must go well.
template <class Conversation>
int converseTwice(std::uint64_t n, Conversation conversation, const std::string& message) {
    EventLoop::current(); // of a new thread, which has no memory in store
    const std::ptrdiff_t before = descriptors();
    Outcome outcome;
    bool threw = false;
    {
        Faults faults;
        faults.fail(Call::Allocate, ENOMEM, When::nth(n));
        try {
            outcome = conversation(message);
        } catch (const std::bad_alloc&) {
            threw = true;
        }
        if (faults.injected() == 0)
            return Well;
    }
    if (!threw && (!outcome.ended || !message.starts_with(outcome.received) || !message.starts_with(outcome.echoed) ||
                   (!outcome.isComplete(message) && outcome.errors.empty())))
        return Wrongly;
    if (!conversation(message).isComplete(message) || !pumpUntil([&] { return descriptors() == before; }))
        return Wrongly;
    return threw ? ByException : Well;
}

/// How each allocation that fails ends, and how often.
template <class Conversation>
std::map<int, int> endingsOf(Conversation conversation, std::size_t size = 600'000) {
    conversation(pattern(1000));
    std::uint64_t calls = 0;
    std::thread([&] {
        EventLoop::current();
        const Faults counter;
        conversation(pattern(size));
        calls = counter.calls(Call::Allocate);
    }).join();
    std::map<int, int> endings;
    for (std::uint64_t n = 1; n <= calls; ++n) {
        CAPTURE(n);
        const int ending = inChild([&] {
            int result = Wrongly;
            std::thread([&] { result = converseTwice(n, conversation, pattern(size)); }).join();
            return result;
        });
        ++endings[ending];
        CHECK((ending == Well || ending == ByException || ending == byTerminate));
    }
    MESSAGE(calls, " allocations: ", endings[Well], " made up for, ", endings[ByException], " told by exception, ",
            endings[byTerminate], " end the program");
    return endings;
}

} // namespace

TEST_CASE("an allocation that fails leaves as std::bad_alloc, and the library as it was") {
    CHECK(endingsOf(converse)[byTerminate] == 0);
}

TEST_CASE("on the way by a proxy it does so too, or is the socket's error") {
    for (const bool isSocks : {true, false})
        CHECK(endingsOf([&](const std::string& message) {
                  return converseByProxy(message, isSocks, !isSocks);
              })[byTerminate] == 0);
}

TEST_CASE("a relay and its bytes, and tasks, come to an end when an allocation fails") {
    CHECK(endingsOf(converseByRelay, 2'000'000)[byTerminate] == 0);
    CHECK(endingsOf(converseByTasks)[byTerminate] == 0);
}

TEST_CASE("a lookup of a name is answered or refused when an allocation fails, on whichever thread, and the next one "
          "is well") {
    HostLookup::setResolver([](const std::string&) {
        return HostAnswer{{HostAddress::LocalHostIPv6, HostAddress::LocalHost}, SocketError::None, {}};
    });
    const auto lookUp = [](HostLookup& lookup) {
        lookup.start("a.host.with.a.rather.long.name.example");
        return pumpUntil([&] { return lookup.isFinished(); });
    };
    int failures = 0;
    for (int ending = Well; ending != nothingFailed; ++failures) {
        CAPTURE(failures);
        ending = inChild([&] { // where no thread is there yet
            EventLoop::current();
            HostLookup lookup;
            Faults faults(Faults::Threads::Every);
            faults.fail(Call::Allocate, ENOMEM, When::nth(static_cast<std::uint64_t>(failures) + 1));
            bool threw = false;
            bool answered = false;
            try {
                answered = lookUp(lookup);
            } catch (const std::bad_alloc&) {
                threw = true;
            }
            const bool isRight = threw ? !lookup.isRunning()
                                       : answered && (lookup.error() == SocketError::None ||
                                                      lookup.error() == SocketError::SocketResource);
            if (faults.injected() == 0)
                return static_cast<int>(nothingFailed);
            faults.clear();
            const bool isWellAgain = lookUp(lookup) && lookup.addresses().size() == 2;
            return static_cast<int>(isRight && isWellAgain ? Well : Wrongly);
        });
        CHECK((ending == Well || ending == nothingFailed));
        if (ending != Well)
            break;
    }
    HostLookup::setResolver({});
    MESSAGE(failures, " allocations of a lookup may fail");
}

TEST_CASE("a file that there is no memory to queue is not kept open") {
    const PlainSocket file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    for (std::uint64_t n = 1, injected = 1; injected != 0; ++n) {
        CAPTURE(n);
        const TcpPair pair;
        const std::ptrdiff_t before = descriptors();
        Faults faults;
        faults.fail(Call::Allocate, ENOMEM, When::nth(n));
        try {
            pair.near->sendFile(file.descriptor(), 0, 1000);
        } catch (const std::bad_alloc&) {
        }
        injected = faults.injected();
        faults.clear();
        CHECK(descriptors() == before);
    }
}
