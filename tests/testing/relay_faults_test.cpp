// Two connections that a Forwarder joins, in one loop with their far ends, with so many bytes that they go past the
// process: and every call that moves them fails once, in every way.
#include "relay_scenario.h"

#include <halyard/signals/sanitizers.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

constexpr std::size_t much = 2'000'000;

} // namespace

TEST_CASE("whatever call of a relay fails: it is repeated, done without or told, and no byte is lost or there twice") {
    const std::string message = pattern(much);
    converseByRelay(message).check(message); // the loop makes what it needs for itself
    {
        const Faults counter;
        converseByRelay(message).check(message);
#ifndef HALYARD_THREAD_SANITIZER // with which the far ends are so slow that the relay never sees much at a time
        CHECK(counter.calls(Call::Pipe2) == 1);
        CHECK(counter.calls(Call::Splice) > 4);
#endif
    }
    const std::uint64_t faults = tryEach(
        {Call::Pipe2, Call::Fcntl, Call::Splice, Call::Recv, Call::Send, Call::SendMsg, Call::EpollCtl, Call::Close},
        message, converseByRelay);
    MESSAGE("a relay has survived ", faults, " faults");
}

TEST_CASE("without a pipe, or one of the size that was asked for, a relay goes on") {
    const std::string message = pattern(much);
    for (const Call call : {Call::Pipe2, Call::Fcntl}) {
        for (const int error : errorsOf(call)) {
            Faults faults;
            faults.fail(call, error);
            const Outcome outcome = converseByRelay(message);
            outcome.check(message);
            CHECK(outcome.isComplete(message));
        }
    }
}

TEST_CASE("however little is spliced at a time, and however often that is to be repeated, all of it arrives") {
    const std::string message = pattern(much);
    for (const std::size_t most : {100U, 4096U, 65'537U}) {
        CAPTURE(most);
        Faults faults;
        faults.shorten(Call::Splice, most);
        const Outcome outcome = converseByRelay(message);
        outcome.check(message);
        CHECK(outcome.isComplete(message));
    }
    for (std::uint64_t seed = 1; seed != 40; ++seed) {
        CAPTURE(seed);
        Faults faults;
        faults.fail(Call::Splice, EAGAIN, When::byChance(0.2, seed))
            .fail(Call::Splice, EINTR, When::byChance(0.2, seed + 1000))
            .shorten(Call::Splice, 1000 * seed, When::byChance(0.5, seed + 2000));
        const Outcome outcome = converseByRelay(message);
        outcome.check(message);
        CHECK(outcome.isComplete(message));
    }
}
