// A server and a client that are tasks, in one loop, and every call that they make fails once, in every way.
#include "task_scenario.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

TEST_CASE("whatever call of two tasks fails: it is repeated or told, and no byte is lost or there twice") {
    const std::string message = pattern(600'000);
    converseByTasks(message).check(message);
    const std::uint64_t faults = tryEach({Call::Socket, Call::Bind, Call::Listen, Call::Accept4, Call::Connect,
                                          Call::GetSockOpt, Call::GetPeerName, Call::Recv, Call::Send, Call::SendMsg,
                                          Call::Close, Call::EpollCtl, Call::EpollWait},
                                         message, converseByTasks);
    MESSAGE("tasks have survived ", faults, " faults");
}
