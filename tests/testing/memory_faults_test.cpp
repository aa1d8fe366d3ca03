// Each allocation of a conversation fails once. In processes of their own, for some end the program, as they say.
#include "child.h"
#include "echo_scenario.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <new>
#include <string>
#include <thread>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

enum Ending {
    Well = 0,
    Wrongly = 10,
    ByException = 11,
};

/// A conversation, and when memory is to be had again another one, which must go well.
int converseTwice(std::uint64_t n) {
    const std::string message = pattern(150'000);
    EventLoop::current(); // of a new thread, which has no memory in store
    const std::ptrdiff_t before = descriptors();
    Outcome outcome;
    bool threw = false;
    {
        Faults faults;
        faults.fail(Call::Allocate, ENOMEM, When::nth(n));
        try {
            outcome = converse(message);
        } catch (const std::bad_alloc&) {
            threw = true;
        }
        if (faults.injected() == 0)
            return Well;
    }
    if (!threw && (!outcome.ended || !message.starts_with(outcome.received) || !message.starts_with(outcome.echoed) ||
                   (!outcome.isComplete(message) && outcome.errors.empty())))
        return Wrongly;
    if (!converse(message).isComplete(message) || !pumpUntil([&] { return descriptors() == before; }))
        return Wrongly;
    return threw ? ByException : Well;
}

} // namespace

TEST_CASE("an allocation that fails leaves as std::bad_alloc, and the library as it was; or it ends the program") {
    converse(pattern(1000));
    std::map<int, int> endings;
    std::uint64_t calls = 0;
    {
        std::thread([&] {
            EventLoop::current();
            const Faults counter;
            converse(pattern(150'000));
            calls = counter.calls(Call::Allocate);
        }).join();
    }
    for (std::uint64_t n = 1; n <= calls; ++n) {
        CAPTURE(n);
        const int ending = inChild([n] {
            int result = Wrongly;
            std::thread([&] { result = converseTwice(n); }).join();
            return result;
        });
        ++endings[ending];
        CHECK((ending == Well || ending == ByException || ending == byTerminate));
    }
    MESSAGE(calls, " allocations: ", endings[Well], " made up for, ", endings[ByException], " told by exception, ",
            endings[byTerminate], " end the program");
}
