// A server behind balancers that say who the client is.
#include <halyard/core/signal_spy.h>
#include <halyard/net/proxy_protocol_server.h>

#include <doctest/doctest.h>
#include <plain_socket.h>
#include <pump.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* header = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";

struct Fixture {
    Fixture() {
        server.trust(HostAddress(HostAddress::LocalHost), 8);
        server.clientRefused.connect([this](const Endpoint&, const std::string& why) { refused.push_back(why); });
        REQUIRE(server.listen(HostAddress::LocalHost));
    }

    PlainSocket connect() const { return PlainSocket::connectedTo(server.serverPort()); }
    std::unique_ptr<TcpSocket> next() {
        REQUIRE(pumpUntil([this] { return server.hasPendingConnections(); }));
        return std::unique_ptr<TcpSocket>(server.nextPendingConnection());
    }
    bool refuses(const std::string& why) {
        return pumpUntil([this] { return !refused.empty(); }) && refused.back().ends_with(": " + why) &&
               server.awaitedHeaders() == 0;
    }

    ProxyProtocolServer server;
    std::vector<std::string> refused;
};

} // namespace

TEST_CASE("a client behind a trusted balancer has its own address, and loses no byte") {
    Fixture its;
    SignalSpy<> told(its.server.newConnection);
    const auto balancer = its.connect();
    SUBCASE("header and data at once") { balancer.send(std::string(header) + "hello"); }
    SUBCASE("byte by byte") {
        for (const char byte : std::string(header)) {
            CHECK_FALSE(its.server.hasPendingConnections());
            balancer.send({&byte, 1});
            pumpIdle(2);
        }
        balancer.send("hello");
    }
    const auto client = its.next();
    CHECK(client->peerAddress() == HostAddress("192.0.2.1"));
    CHECK(client->peerPort() == 56324);
    CHECK(client->localPort() == its.server.serverPort());
    CHECK(pumpUntil([&] { return client->bytesAvailable() == 5; }));
    CHECK(client->readAll() == "hello");
    client->write("back");
    CHECK(balancer.receive(4) == "back");
    CHECK(told.count() == 2); // accepted, queued
    CHECK(pumpUntil([&] { return its.server.awaitedHeaders() == 0; }));
}

TEST_CASE("a balancer that speaks for itself has its own address") {
    Fixture its;
    for (const std::string& text :
         {std::string("PROXY UNKNOWN\r\n"), std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16)}) {
        const auto balancer = its.connect();
        balancer.send(text);
        const auto client = its.next();
        CHECK(client->peerAddress() == HostAddress(HostAddress::LocalHost));
        CHECK(client->peerPort() == balancer.port());
    }
}

TEST_CASE("who is not trusted is turned away, whatever it says") {
    ProxyProtocolServer server;
    server.trust(*HostAddress::parse("10.0.0.0"), 8);
    SignalSpy<Endpoint, std::string> refused(server.clientRefused);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto liar = PlainSocket::connectedTo(server.serverPort());
    CHECK(refused.wait(patience()));
    CHECK(std::get<1>(refused[0]) ==
          "a client from 127.0.0.1:" + std::to_string(liar.port()) + " is turned away: it is no trusted balancer");
    CHECK(liar.receive(1).empty());
    CHECK_FALSE(server.hasPendingConnections());
}

TEST_CASE("a mapped address is trusted as the IPv4 address is") {
    ProxyProtocolServer server;
    server.trust(*HostAddress::parse("10.0.0.0"), 8);
    server.trust(*HostAddress::parse("2001:db8::"), 32);
    CHECK(server.isTrusted(HostAddress("10.1.2.3")));
    CHECK(server.isTrusted(HostAddress("::ffff:10.1.2.3")));
    CHECK(server.isTrusted(HostAddress("2001:db8::7")));
    CHECK_FALSE(server.isTrusted(HostAddress("11.1.2.3")));
    CHECK_FALSE(server.isTrusted(HostAddress()));
}

TEST_CASE("a client without a proper header is turned away with a reason") {
    Fixture its;
    SUBCASE("none at all") {
        const auto client = its.connect();
        client.send("GET / HTTP/1.0\r\n\r\n");
        CHECK(its.refuses("it does not begin with a PROXY protocol header"));
    }
    SUBCASE("an end instead") {
        its.connect().close();
        CHECK(its.refuses("it ended before its PROXY protocol header"));
    }
    SUBCASE("half of one, and then nothing") {
        its.server.setHeaderTimeout(20ms);
        const auto client = its.connect();
        client.send("PROXY TCP4 ");
        CHECK(its.refuses("it sent no PROXY protocol header in time"));
        CHECK(client.receive(1).empty());
    }
    SUBCASE("one too many who wait") {
        its.server.setMaxAwaitedHeaders(1);
        const auto first = its.connect();
        const auto second = its.connect();
        CHECK(pumpUntil([&] { return !its.refused.empty(); }));
        CHECK(its.refused.back().ends_with(": too many others owe their PROXY protocol header"));
        first.send(header);
        CHECK(its.next() != nullptr);
    }
}

TEST_CASE("who is about to send its header when the server closes is queued still") {
    Fixture its;
    const auto balancer = its.connect();
    CHECK(pumpUntil([&] { return its.server.awaitedHeaders() == 1; }));
    its.server.close();
    balancer.send(header);
    CHECK(its.next()->peerPort() == 56324);
}

TEST_CASE("the server may be deleted in any of its slots, and while headers are awaited") {
    for (const int which : {0, 1, 2, 3, 4}) {
        auto* const server = new ProxyProtocolServer;
        server->trust(HostAddress(HostAddress::LocalHost), 8);
        bool gone = false;
        const auto end = [&] {
            gone = true;
            delete server;
        };
        if (which == 0)
            server->headerAwaited.connect(end);
        else if (which == 1)
            server->clientRefused.connect(end);
        else if (which == 2)
            server->pendingConnectionAvailable.connect(end);
        else if (which == 3)
            server->newConnection.connect([&] {
                if (server->hasPendingConnections())
                    end();
            });
        REQUIRE(server->listen(HostAddress::LocalHost));
        const auto client = PlainSocket::connectedTo(server->serverPort());
        if (which == 4) {
            CHECK(pumpUntil([&] { return server->awaitedHeaders() == 1; }));
            end();
        } else {
            client.send(which == 1 ? "nonsense" : header);
        }
        CHECK(pumpUntil([&] { return gone; }));
        pumpIdle();
    }
}

TEST_CASE("who has sent its header in time is not turned away later, however long a slot takes") {
    Fixture its;
    its.server.setHeaderTimeout(20ms);
    bool isOver = false;
    its.server.newConnection.connect([&] {
        if (!its.server.hasPendingConnections() || isOver)
            return;
        isOver = true;
        const auto end = std::chrono::steady_clock::now() + 60ms;
        pumpUntil([&] { return std::chrono::steady_clock::now() > end; }, 60ms);
    });
    const auto balancer = its.connect();
    balancer.send(header);
    const auto client = its.next();
    CHECK(isOver);
    CHECK(its.refused.empty());
    CHECK(client->state() == SocketState::Connected);
}
