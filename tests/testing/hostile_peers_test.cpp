// Peers that read a byte a second, drip one, never close, or reset at any moment; and others beside them, who are
// served all the while. The seconds are those of a clock that the test advances.
#include "../net/both_ways.h"
#include "../net/scripted_proxy.h"
#include "../net/tcp_pair.h"
#include "fault_scenario.h"

#include <from_address.h>
#include <logged.h>
#include <plain_socket.h>
#include <pump.h>
#include <pump_peer.h>

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// Answers each line with itself. A request has ten seconds to be complete, as docs/reliability.md has it.
class Lines {
  public:
    explicit Lines(std::shared_ptr<ConnectionLimits> limits = nullptr) {
        server.setLimits(std::move(limits));
        server.newConnection.connect([this] {
            while (TcpSocket* const client = server.nextPendingConnection())
                serve(*client);
        });
        REQUIRE(server.listen(HostAddress::LocalHost));
    }

    /// Somebody comes, is answered and goes.
    bool serves(PlainSocket client) const {
        client.send("ahoy\n");
        return pumpPeer(client, 5) == "ahoy\n";
    }
    bool serves() const { return serves(PlainSocket::connectedTo(server.serverPort())); }

    TcpServer server;

  private:
    static void serve(TcpSocket& client) {
        auto* const deadline = new Timer(&client);
        deadline->setSingleShot(true);
        deadline->timeout.connect(&client, &TcpSocket::abort);
        client.setReadTimeout(30s);
        client.readyRead.connect([&client, deadline] {
            while (client.canReadLine()) {
                client.write(client.readLine());
                deadline->stop();
            }
            if (client.bytesAvailable() != 0 && !deadline->isActive())
                deadline->start(10s);
        });
        client.disconnected.connect(&client, &Object::deleteLater);
    }
};

/// A socket whose peer is plain, and reads little.
struct Stalled {
    explicit Stalled(TcpServer& server) : peer(PlainSocket::connectedTo(server.serverPort())) {
        REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
        socket.reset(server.nextPendingConnection());
        socket->setParent(nullptr);
    }

    PlainSocket peer;
    std::unique_ptr<TcpSocket> socket;
};

} // namespace

TEST_CASE(
    "a peer that reads a byte a second takes no more memory than the limit, and no longer than the write timeout") {
    ManualClock clock;
    const Lines beside;
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const Stalled stalled(server);
    constexpr std::size_t limit = 1024 * 1024;
    const std::string piece(64 * 1024, 'x');
    stalled.socket->setWriteBufferLimit(limit);
    stalled.socket->setWriteTimeout(10s);
    std::size_t pieces = 0;
    while (stalled.socket->write(piece) > 0)
        ++pieces;
    CHECK(pieces * piece.size() < 64 * limit); // the kernel has buffers too
    CHECK(stalled.socket->error() == SocketError::SocketResource);
    CHECK(stalled.socket->bytesToWrite() <= limit + piece.size());
    int seconds = 0;
    while (stalled.socket->state() == SocketState::Connected && seconds != 60) {
        CHECK(stalled.peer.receive(1) == "x");
        clock.advance(1s);
        ++seconds;
        CHECK(beside.serves());
    }
    CHECK(seconds >= 10);
    CHECK(seconds <= 11);
    CHECK(stalled.socket->error() == SocketError::SocketTimeout);
    CHECK(stalled.socket->bytesToWrite() == 0);
    stalled.peer.receive();
    CHECK(stalled.socket->hasLostOutput());
}

TEST_CASE("a peer that reads a byte a second, and then the rest, gets every byte once") {
    const std::string all = pattern(8'000'000);
    for (const bool ended : {false, true}) {
        ManualClock clock;
        TcpServer server;
        REQUIRE(server.listen(HostAddress::LocalHost));
        const Stalled stalled(server);
        stalled.socket->write(all);
        if (ended)
            stalled.socket->disconnectFromHost(); // which gives him thirty
        std::string got;
        for (int i = 0; i != 25; ++i) {
            got += stalled.peer.receive(1);
            clock.advance(1s);
        }
        CHECK(stalled.socket->bytesToWrite() > 0);
        got += pumpPeer(stalled.peer, all.size() - got.size());
        CHECK((got == all));
        CHECK_FALSE(stalled.socket->hasLostOutput());
    }
}

TEST_CASE("a peer that takes the rest slowly, for longer than the closing timeout, gets every byte, the socket deleted "
          "or not") {
    const std::string all = pattern(16'000'000);
    for (const bool deleted : {false, true}) {
        CAPTURE(deleted);
        ManualClock clock;
        TcpServer server;
        REQUIRE(server.listen(HostAddress::LocalHost));
        Stalled stalled(server);
        stalled.socket->write(all);
        if (deleted)
            stalled.socket.reset();
        else
            stalled.socket->disconnectFromHost();
        std::string got;
        for (int i = 0; i != 30; ++i) { // five minutes
            got += stalled.peer.receive(250'000);
            clock.advance(10s);
        }
        got += pumpPeer(stalled.peer, all.size() - got.size());
        CHECK(got.size() == all.size());
        CHECK((got == all));
        if (!deleted)
            CHECK_FALSE(stalled.socket->hasLostOutput());
    }
}

TEST_CASE("peers that never close, and say something now and then, are held for as long as the closing timeout") {
    ManualClock clock;
    const auto limits = std::make_shared<ConnectionLimits>(20);
    TcpServer server;
    server.setLimits(limits);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const std::ptrdiff_t before = descriptors();
    std::vector<PlainSocket> peers;
    for (int i = 0; i != 20; ++i) {
        Stalled each(server);
        each.peer.send("what nobody reads");
        each.socket->write("goodbye");
        each.socket->disconnectFromHost();
        CHECK(each.socket->state() == SocketState::Unconnected);
        CHECK_FALSE(each.socket->hasLostOutput());
        peers.push_back(std::move(each.peer));
    }
    const PlainSocket next = PlainSocket::connectedTo(server.serverPort());
    for (int second = 0; second != 29; ++second) {
        for (const PlainSocket& each : peers)
            each.send(".");
        clock.advance(1s);
    }
    CHECK(limits->connections() == 20);
    CHECK_FALSE(server.hasPendingConnections());
    clock.advance(2s);
    CHECK(limits->connections() <= 1);
    CHECK(pumpUntil([&] { return server.hasPendingConnections(); })); // who waited has his turn
    for (const PlainSocket& each : peers)
        CHECK(each.receive(7) == "goodbye");
    peers.clear();
    CHECK(descriptors() <= before + 2); // the next one's
}

TEST_CASE("clients that drip are turned out by a request's deadline, and never keep others from being served") {
    ManualClock clock;
    Logged log;
    const auto limits = std::make_shared<ConnectionLimits>(40, 8);
    const Lines lines(limits);
    std::vector<PlainSocket> dripping;
    for (const std::uint8_t attacker : {std::uint8_t{2}, std::uint8_t{3}, std::uint8_t{4}}) {
        for (int i = 0; i != 12; ++i)
            dripping.push_back(connectedFrom(attacker, lines.server.serverPort()));
        REQUIRE(pumpUntil([&] { return limits->connectionsOfPeer(HostAddress(0x7f000000U + attacker)) == 8; }));
    }
    REQUIRE(pumpUntil([&] { return limits->refusedConnections() == 12; }));
    REQUIRE(pumpUntilElsewhere([&] {
        std::erase_if(dripping, [](const PlainSocket& each) { return each.isReset(); });
        return dripping.size() == 24;
    }));
    for (int second = 0; second != 10; ++second) {
        for (const PlainSocket& each : dripping)
            each.send("x");
        pumpIdle(3);
        CHECK(lines.serves());
        clock.advance(999ms);
    }
    CHECK(limits->connections() >= 24); // they were not silent, and had some time left
    clock.advance(1s);
    CHECK(pumpUntil([&] { return limits->connections() == 0; }));
    for (const PlainSocket& each : dripping)
        CHECK(pumpReset(each));
    CHECK(lines.serves(connectedFrom(2, lines.server.serverPort())));
}

TEST_CASE("whenever the server that it talks to resets, a client comes to an end, and connects anew") {
    const PlainSocket listener = PlainSocket::listening();
    const std::ptrdiff_t before = descriptors();
    const std::string much(8 * 1024 * 1024, 'x');
    for (int moment = 0; moment != 10; ++moment) {
        CAPTURE(moment);
        TcpSocket client;
        int ends = 0;
        client.disconnected.connect([&] { ++ends; });
        client.connectToHost(HostAddress::LocalHost, listener.port());
        PlainSocket peer = listener.accept();
        if (moment == 0) { // before the loop knows that it stands
            peer.reset();
            CHECK(pumpUntil([&] { return client.state() == SocketState::Unconnected; }));
            CHECK(client.error() != SocketError::None);
            continue;
        }
        REQUIRE(connects(client, Way::Loop));
        switch (moment) {
        case 1: // while nothing is said
            break;
        case 2: // with bytes that the peer has not read
            client.write("ahoy");
            break;
        case 3: // behind bytes that the client has not read, and does
            peer.send("ahoy");
            break;
        case 4: // the same, while it does not listen
            client.pauseReading();
            peer.send("ahoy");
            pumpIdle();
            break;
        case 5: // under a write
            client.write(much);
            break;
        case 6: // under a write before its end
            client.write(much);
            client.disconnectFromHost();
            break;
        case 7: // behind the end of its own sending
            client.setAllowHalfOpen(true);
            client.shutdownWrite();
            pumpIdle();
            break;
        case 8: // behind the end of the peer's
            client.setAllowHalfOpen(true);
            peer.shutdownWrite();
            REQUIRE(pumpUntil([&] { return !client.isReceiving(); }));
            break;
        default: // behind both, with bytes on their way
            client.setAllowHalfOpen(true);
            client.write(much);
            client.shutdownWrite();
            peer.shutdownWrite();
            REQUIRE(pumpUntil([&] { return !client.isReceiving(); }));
        }
        peer.reset();
        CHECK(pumpUntil([&] { return client.state() == SocketState::Unconnected; }));
        CHECK(ends == 1);
        CHECK(client.bytesToWrite() == 0);
        if (moment == 3 || moment == 4)
            CHECK(client.error() == SocketError::RemoteHostClosed);
        if (moment == 5 || moment == 6 || moment == 9)
            CHECK(client.hasLostOutput());
        client.connectToHost(HostAddress::LocalHost, listener.port());
        const PlainSocket again = listener.accept();
        CHECK(connects(client, Way::Loop));
        client.abort();
    }
    CHECK(pumpUntil([&] { return descriptors() == before; }));
}

TEST_CASE("whenever a peer resets what a deleted socket has left behind, that goes too") {
    const std::ptrdiff_t before = descriptors();
    for (const bool isSending : {true, false}) {
        TcpServer server;
        REQUIRE(server.listen(HostAddress::LocalHost));
        Stalled stalled(server);
        if (isSending) {
            stalled.socket->write(std::string(8 * 1024 * 1024, 'x'));
        } else { // it hears him out
            stalled.peer.send("what nobody reads");
        }
        stalled.socket.reset();
        CHECK(descriptors() >= before + 3); // the listener, and both ends
        stalled.peer.reset();
        server.close();
        CHECK(pumpUntil([&] { return descriptors() <= before; }));
    }
}

TEST_CASE("whenever a proxy resets, in the midst of what it says too, who connects or listens by it is told") {
    const std::string reply = socksReply();
    const std::string comer("\x05\x00\x00\x01\xc6\x33\x64\x07\x30\x39", 10);
    const std::string method("\x05\x00", 2);
    const auto saying = [](std::size_t bytes, const std::string& words) {
        return [=](PlainSocket& client) { // so many of its words, whatever it is asked
            std::size_t said = 0;
            for (const std::size_t end : {std::size_t{2}, std::size_t{12}, words.size()}) {
                if (client.receive(3).size() < 3)
                    return;
                const std::size_t next = std::min(end, bytes);
                client.send(std::string_view(words).substr(said, next - said));
                said = next;
                if (said == bytes)
                    break;
            }
            client.reset();
        };
    };
    Logged log;
    for (const Way way : bothWays) {
        for (std::size_t bytes = 0; bytes != 12; ++bytes) {
            CAPTURE(bytes);
            const ScriptedProxy proxy({saying(bytes, method + reply), saying(bytes, method + reply)});
            TcpSocket socket;
            socket.setProxy(proxy.socks());
            socket.connectToHost(HostAddress("192.0.2.1"), 80);
            CHECK_FALSE(connects(socket, way));
            CHECK(socket.state() == SocketState::Unconnected);
            CHECK(socket.error() != SocketError::None);
            TcpServer server;
            server.setProxy(proxy.socks());
            CHECK_FALSE(server.listen());
            CHECK(server.serverError() != SocketError::None);
        }
    }
}
