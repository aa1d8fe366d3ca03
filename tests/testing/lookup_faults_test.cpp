// getaddrinfo(3) fails, on the threads of the library, in every way that it has; what it says comes as the right error.
#include "../net/both_ways.h"
#include "fault_scenario.h"

#include <halyard/net/host_lookup.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <string>

#include <netdb.h>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

SocketError errorFor(int status) {
    switch (status) {
    case EAI_AGAIN:
        return SocketError::Temporary;
    case EAI_MEMORY:
        return SocketError::SocketResource;
    default:
        return SocketError::HostNotFound;
    }
}

} // namespace

TEST_CASE("however getaddrinfo(3) fails, the lookup and the socket say so, and the next one is asked anew") {
    for (const int status : errorsOf(Call::GetAddrInfo)) {
        CAPTURE(status);
        for (const Way way : bothWays) {
            Faults faults(Faults::Threads::Every);
            faults.fail(Call::GetAddrInfo, status);
            HostLookup lookup;
            lookup.start("a.host.example");
            if (way == Way::Wait)
                CHECK(lookup.waitForFinished(msecOfPatience()));
            else
                CHECK(pumpUntil([&] { return lookup.isFinished(); }));
            CHECK(lookup.addresses().empty());
            if (status != EAI_SYSTEM) // as errno says, which is nobody's here
                CHECK(lookup.error() == errorFor(status));
            CHECK(lookup.error() != SocketError::None);
            CHECK(lookup.errorString().starts_with("cannot find the host a.host.example: "));
            TcpSocket socket;
            for (int i = 1; i != 3; ++i) {
                socket.connectToHost("a.host.example", 80);
                CHECK_FALSE(connects(socket, way));
                CHECK(socket.state() == SocketState::Unconnected);
                if (status != EAI_SYSTEM)
                    CHECK(socket.error() == (status == EAI_AGAIN ? SocketError::HostNotFound : errorFor(status)));
                CHECK(faults.calls(Call::GetAddrInfo) == static_cast<std::uint64_t>(i) + 1);
            }
        }
    }
}
