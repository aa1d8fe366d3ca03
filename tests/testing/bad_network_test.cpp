// A network that loses: nft(8) drops what a peer sends in a network of the test's own, and tc-netem(8) delays and
// loses. Each in a process of its own.
#include "../net/both_ways.h"
#include "child.h"
#include "echo_scenario.h"
#include "own_network.h"

#include <halyard/core/clock.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;
using namespace std::chrono_literals;

namespace {

constexpr int skipped = 77;

/// What a firewall drops that the test can switch on and off.
bool haveFirewall() {
    return enterOwnNetwork() && administer("nft add table inet t") &&
           administer("nft add chain inet t in '{ type filter hook input priority 0; }'");
}
void drop(std::uint16_t port) {
    for (const char* const end : {"sport", "dport"})
        administer("nft add rule inet t in tcp " + std::string(end) + ' ' + std::to_string(port) + " drop");
}
void dropNothing() { administer("nft flush chain inet t in"); }

/// Whether it went well behind a firewall; where it may not be tried that is said.
void checkBehindFirewall(int (*work)()) {
    const int ending = inChild([work] { return haveFirewall() ? work() : skipped; });
    if (ending == skipped)
        MESSAGE("skipped: this process may have no network of its own, or there is no nft");
    else
        CHECK(ending == 0);
}

} // namespace

TEST_CASE("a host that answers nothing: connecting ends when its time is over, and connects when it answers again") {
    checkBehindFirewall([] {
        ManualClock clock;
        TcpServer server;
        server.listen(HostAddress::LocalHost);
        drop(server.serverPort());
        TcpSocket socket;
        socket.setConnectTimeout(20s);
        socket.connectToHost(HostAddress::LocalHost, server.serverPort());
        clock.advance(19s);
        if (socket.state() != SocketState::Connecting)
            return 1;
        clock.advance(2s);
        if (socket.state() != SocketState::Unconnected || socket.error() != SocketError::SocketTimeout)
            return 2;
        dropNothing();
        socket.connectToHost(HostAddress::LocalHost, server.serverPort());
        return pumpUntil([&] { return socket.state() == SocketState::Connected && server.hasPendingConnections(); })
                   ? 0
                   : 3;
    });
}

TEST_CASE("a peer that vanishes: reading and writing end when their time is over, and others are served meanwhile") {
    checkBehindFirewall([] {
        ManualClock clock;
        TcpServer server;
        server.listen(HostAddress::LocalHost);
        const PlainSocket first = PlainSocket::connectedTo(server.serverPort());
        const PlainSocket second = PlainSocket::connectedTo(server.serverPort());
        if (!server.waitForNewConnection(msecOfPatience()))
            return 1;
        TcpSocket* const silent = server.nextPendingConnection();
        if (!server.waitForNewConnection(msecOfPatience()))
            return 2;
        TcpSocket* const deaf = server.nextPendingConnection();
        silent->setReadTimeout(30s);
        deaf->setWriteTimeout(30s);
        drop(first.port());
        drop(second.port());
        first.send("this gets lost");
        deaf->write(std::string(16 * 1024 * 1024, 'x'));
        for (int i = 0; i != 29; ++i) {
            clock.advance(1s);
            if (silent->state() != SocketState::Connected || deaf->state() != SocketState::Connected)
                return 3;
        }
        const std::string message = pattern(100'000);
        if (!converse(message).isComplete(message))
            return 4;
        clock.advance(2s);
        for (const TcpSocket* const each : {silent, deaf})
            if (each->state() != SocketState::Unconnected || each->error() != SocketError::SocketTimeout)
                return 5;
        return silent->bytesAvailable() == 0 && deaf->hasLostOutput() ? 0 : 6;
    });
}

TEST_CASE("what is lost on its way is sent again: every byte arrives once when the network is there again") {
    checkBehindFirewall([] {
        const std::string message = pattern(1'000'000);
        Outcome outcome;
        Echo echo(outcome);
        TcpSocket client;
        client.readyRead.connect([&] { outcome.echoed += client.readAll(); });
        echo.server.listen(HostAddress::LocalHost);
        client.connectToHost(HostAddress::LocalHost, echo.server.serverPort());
        if (!pumpUntil([&] { return echo.served != nullptr && client.state() == SocketState::Connected; }))
            return 1;
        drop(echo.server.serverPort());
        client.write(message);
        pumpIdle();
        if (!outcome.received.empty())
            return 2;
        dropNothing(); // the kernel tries again after a fifth of a second
        return pumpUntil([&] { return outcome.isComplete(message); }) ? 0 : 3;
    });
}

TEST_CASE("a slow network that loses loses no byte of a conversation") {
    const int ending = inChild([] {
        const std::string message = pattern(200'000);
        if (!enterOwnNetwork() || !administer("tc qdisc add dev lo root netem delay 2ms 1ms loss 1%"))
            return skipped;
        return converse(message).isComplete(message) ? 0 : 1;
    });
    if (ending != skipped) {
        CHECK(ending == 0);
        return;
    }
    MESSAGE("skipped: this process may have no network of its own, or the kernel has no netem; delays are injected");
    const std::string message = pattern(200'000);
    Faults faults;
    for (const Call call : {Call::Recv, Call::Send, Call::SendMsg})
        faults.delay(call, 1ms, When::byChance(0.3, 1))
            .fail(call, EAGAIN, When::byChance(0.2, 2))
            .shorten(call, 1448, When::byChance(0.5, 3));
    const Outcome outcome = converse(message);
    outcome.check(message);
    CHECK(outcome.isComplete(message));
    CHECK(faults.injected() != 0);
}
