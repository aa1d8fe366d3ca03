// getaddrinfo(3) itself, with a hosts file of the test: to be run by with_hosts.
#include "far_ends.h"

#include <halyard/net/host_lookup.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;

namespace {

using Addresses = std::vector<HostAddress>;

bool hasHosts() {
    if (std::getenv("NSS_WRAPPER_HOSTS") != nullptr)
        return true;
    MESSAGE("skipped: not run by with_hosts");
    return false;
}

/// In an order of their own: what comes first is the system's choice.
Addresses sorted(Addresses addresses) {
    std::sort(addresses.begin(), addresses.end());
    return addresses;
}

} // namespace

TEST_CASE("the system's names: addresses of each family, and of both, each once") {
    if (!hasHosts())
        return;
    const auto addressesOf = [](const std::string& name) {
        HostLookup lookup;
        CHECK(lookup.start(name));
        CHECK(pumpUntil([&] { return lookup.isFinished(); }));
        CHECK(lookup.errorString() == "");
        return sorted(lookup.addresses());
    };
    CHECK(addressesOf("four.halyard.test") == Addresses{HostAddress("127.0.0.2")});
    CHECK(addressesOf("six.halyard.test") == Addresses{HostAddress::LocalHostIPv6});
    CHECK(addressesOf("both.halyard.test") == Addresses{HostAddress("127.0.0.3"), HostAddress::LocalHostIPv6});
    CHECK(addressesOf("many.halyard.test") ==
          Addresses{HostAddress("127.0.0.4"), HostAddress("127.0.0.5"), HostAddress("127.0.0.6")});
}

TEST_CASE("the system's names: one that is in no hosts file") {
    if (!hasHosts())
        return;
    HostLookup lookup;
    REQUIRE(lookup.start("none.halyard.test"));
    REQUIRE(lookup.waitForFinished());
    CHECK(lookup.addresses().empty());
    // Which of them depends on whether a name server answers.
    CHECK((lookup.error() == SocketError::HostNotFound || lookup.error() == SocketError::Temporary));
    CHECK(lookup.errorString().starts_with("cannot find the host none.halyard.test: "));
}

TEST_CASE(
    "the system's names: of the addresses of a host, a silent, a refusing and a good one, the good one is the peer") {
    if (!hasHosts())
        return;
    const std::uint16_t port =
        portFreeAt({HostAddress("127.0.0.4"), HostAddress("127.0.0.5"), HostAddress("127.0.0.6")});
    const PlainSocket good = listeningAt(HostAddress("127.0.0.6"), port);
    const Silent silent(HostAddress("127.0.0.4"), port);
    const Refusing refusing(HostAddress("127.0.0.5"), port);
    for (const bool inWait : {false, true}) {
        TcpSocket socket;
        socket.connectToHost("many.halyard.test", port);
        CHECK(
            (inWait ? socket.waitForConnected() : pumpUntil([&] { return socket.state() == SocketState::Connected; })));
        CHECK(socket.peerAddress() == HostAddress("127.0.0.6"));
        CHECK(socket.peerName() == "many.halyard.test");
    }
}

TEST_CASE("the system's names: many lookups at once") {
    if (!hasHosts())
        return;
    std::vector<HostLookup> lookups(100);
    for (HostLookup& each : lookups)
        REQUIRE(each.start("both.halyard.test"));
    for (HostLookup& each : lookups) {
        CHECK(each.waitForFinished());
        CHECK(each.addresses().size() == 2);
    }
}
