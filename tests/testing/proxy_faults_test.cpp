// A client that connects by a proxy, which echoes what it is sent, and every call that the client makes fails once, in
// every way. The proxy is on other threads, where nothing fails.
#include "proxy_scenario.h"

#include <doctest/doctest.h>

#include <string>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

TEST_CASE("whatever call on the way by a proxy fails: it is repeated or told, and no byte is lost or there twice") {
    const std::string message = pattern(40'000);
    std::uint64_t faults = 0;
    for (const bool isSocks : {true, false}) {
        for (const bool waits : {false, true}) {
            CAPTURE(isSocks);
            CAPTURE(waits);
            const auto converse = [&](const std::string& text) { return converseByProxy(text, isSocks, waits); };
            converse(message).check(message);
            faults += tryEach(
                {Call::Socket, Call::Connect, Call::GetSockOpt, Call::GetPeerName, Call::Recv, Call::Send, Call::Poll},
                message, converse);
        }
    }
    MESSAGE("connections by proxies have survived ", faults, " faults");
}

TEST_CASE(
    "whatever call of a server behind a proxy fails: it is repeated or told, and no byte is lost or there twice") {
    const std::string message = pattern(40'000);
    std::uint64_t faults = 0;
    for (const bool waits : {false, true}) {
        CAPTURE(waits);
        const auto converse = [&](const std::string& text) { return converseBehindProxy(text, waits); };
        CHECK(converse(message).isComplete(message));
        faults += tryEach({Call::Socket, Call::Connect, Call::GetSockOpt, Call::GetPeerName, Call::Recv, Call::Send,
                           Call::Poll, Call::EpollCtl, Call::Close},
                          message, converse);
    }
    MESSAGE("servers behind a proxy have survived ", faults, " faults");
}
