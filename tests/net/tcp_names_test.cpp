#include "far_ends.h"
#include "names.h"
#include "socket_trace.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <plain_socket.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

const HostAddress four("127.0.0.1");
const HostAddress otherFour("127.0.0.2");
const HostAddress thirdFour("127.0.0.3");
const HostAddress six(HostAddress::LocalHostIPv6);

bool pumpTo(const TcpSocket& socket, SocketState state) {
    return pumpUntil([&] { return socket.state() == state; });
}

} // namespace

TEST_CASE("connecting to localhost by name: the lookup ends in the loop, and the signals come in their order") {
    const PlainSocket listener = listeningAt(four, portFreeAt({four, six}));
    const Refusing nobody(six, listener.port());
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost("localhost", listener.port());
    CHECK(trace.take() == "HostLookup");
    CHECK(socket.peerName() == "localhost");
    CHECK(socket.peerAddress().isNull());
    CHECK(socket.socketDescriptor() == -1);
    REQUIRE(pumpTo(socket, SocketState::Connected));
    CHECK(trace.text() == "Connecting hostFound Connected connected");
    CHECK(socket.peerAddress() == four);
    CHECK(socket.peerPort() == listener.port());
    CHECK(socket.localAddress() == four);
    CHECK(socket.error() == SocketError::None);
    const PlainSocket peer = listener.accept();
    socket.write("hello");
    CHECK(peer.receive(5) == "hello");
    peer.send("bye");
    CHECK(pumpUntil([&] { return socket.bytesAvailable() == 3; }));
    socket.disconnectFromHost();
    CHECK(socket.peerName() == "localhost");
}

TEST_CASE("an address as text is connected to without a lookup, inside the call") {
    const PlainSocket listener = listeningAt(six);
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost("0:0::1", boundTo(listener).port);
    CHECK(trace.take() == "HostLookup Connecting hostFound");
    CHECK(socket.peerName() == "0:0::1");
    REQUIRE(pumpTo(socket, SocketState::Connected));
    CHECK(trace.text() == "Connected connected");
    CHECK(socket.peerAddress() == six);
}

TEST_CASE("a host that is not found is told after the state, from the loop, with a sentence") {
    const Names names;
    const std::vector<std::pair<std::string, std::string>> cases{
        {"nobody.test", "cannot find the host nobody.test: the test does not know it"},
        {"", "cannot find the host: the name is empty"},
        {"two words", "cannot find the host: the name has a character that no name has"},
    };
    for (const auto& [name, sentence] : cases) {
        TcpSocket socket;
        SocketTrace trace(socket);
        socket.connectToHost(name, 80);
        CHECK(trace.take() == "HostLookup");
        REQUIRE(pumpTo(socket, SocketState::Unconnected));
        CHECK(trace.text() == "Unconnected error(HostNotFound while Unconnected)");
        CHECK(socket.error() == SocketError::HostNotFound);
        CHECK(socket.errorString() == sentence);
        CHECK(socket.peerName() == name);
    }
}

TEST_CASE("what a lookup said is forgotten with the next connecting") {
    const Names names;
    const Refusing refusing(four);
    TcpSocket socket;
    socket.connectToHost("nobody.test", 80);
    CHECK_FALSE(socket.waitForConnected());
    socket.connectToHost(four, refusing.endpoint().port);
    CHECK_FALSE(socket.waitForConnected());
    CHECK(socket.errorString() == "cannot connect to " + refusing.endpoint().toString() + ": Connection refused");
    CHECK(socket.peerName() == "127.0.0.1");
}

TEST_CASE("a slot in which a nested loop runs, while an address is connected to, hears of no lookup") {
    const PlainSocket listener = listeningAt(four);
    TcpSocket socket;
    socket.setWriteBufferWatermarks(1, 2);
    socket.stateChanged.connect([&](SocketState state) {
        if (state == SocketState::HostLookup) {
            socket.write("enough to be told of");
            pumpIdle(3);
        }
    });
    socket.connectToHost(four, listener.port());
    CHECK(pumpTo(socket, SocketState::Connected));
}

TEST_CASE("a name server that does not answer is a host not found, and other failures are what they are") {
    TcpSocket socket;
    const auto errorFor = [&](SocketError error) {
        HostLookup::setResolver([error](const std::string&) { return HostAnswer{{}, error, "of the test"}; });
        socket.connectToHost("a.test", 80);
        CHECK_FALSE(socket.waitForConnected());
        CHECK(socket.errorString() == "cannot find the host a.test: of the test");
        return socket.error();
    };
    CHECK(errorFor(SocketError::Temporary) == SocketError::HostNotFound);
    CHECK(errorFor(SocketError::SocketResource) == SocketError::SocketResource);
    HostLookup::setResolver({});
}

TEST_CASE("of several addresses the first that answers is the peer") {
    const std::uint16_t port = portFreeAt({six, otherFour, thirdFour});
    const PlainSocket good = listeningAt(thirdFour, port);
    const Silent silent(six, port);
    const Refusing refusing(otherFour, port);
    const Names names({{"a.test", {six, otherFour, thirdFour}}});
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.setConnectionAttemptDelay(30ms);
    socket.connectToHost("a.test", port);
    SUBCASE("by the loop") { REQUIRE(pumpTo(socket, SocketState::Connected)); }
    SUBCASE("by a wait") { REQUIRE(socket.waitForConnected()); }
    CHECK(trace.text() == "HostLookup Connecting hostFound Connected connected");
    CHECK(socket.peerAddress() == thirdFour);
    const PlainSocket peer = good.accept();
    peer.send("data");
    CHECK(socket.waitForReadyRead());
    CHECK(socket.readAll() == "data");
}

TEST_CASE("when no address answers, the error names the host and an address") {
    const std::uint16_t port = portFreeAt({four, otherFour});
    const Refusing refusing(four, port);
    const Refusing also(otherFour, port);
    const Names names({{"a.test", {otherFour, four}}});
    TcpSocket socket;
    SocketTrace trace(socket);
    socket.connectToHost("a.test", port);
    REQUIRE(pumpTo(socket, SocketState::Unconnected));
    CHECK(trace.text() == "HostLookup Connecting hostFound Unconnected error(ConnectionRefused while Unconnected)");
    CHECK(socket.errorString() ==
          "cannot connect to a.test at 127.0.0.2:" + std::to_string(port) + ": Connection refused");
}

TEST_CASE("while looking up and while racing: abort, disconnectFromHost, close, delete, connecting again") {
    const std::uint16_t port = portFreeAt({four, otherFour});
    const Silent silent(four, port);
    const PlainSocket good = listeningAt(otherFour, port);
    Names names({{"dead.test", {four}}, {"held.test", {otherFour}}});
    names.hold("held.test");
    pumpIdle();
    const std::ptrdiff_t before = openDescriptors();
    for (const std::string name : {"dead.test", "held.test"}) {
        const bool held = name == "held.test";
        const SocketState reached = held ? SocketState::HostLookup : SocketState::Connecting;
        const auto begin = [&](TcpSocket& socket) {
            socket.connectToHost(name, port);
            REQUIRE(pumpTo(socket, reached));
        };
        {
            TcpSocket socket;
            begin(socket);
            SocketTrace trace(socket);
            socket.abort();
            CHECK(trace.take() == "Unconnected readChannelFinished");
            CHECK(socket.error() == SocketError::None);
            socket.connectToHost("127.0.0.2", port);
            CHECK(socket.waitForConnected());
        }
        {
            TcpSocket socket;
            begin(socket);
            Logged log;
            SocketTrace trace(socket);
            socket.connectToHost("a.test", port);
            CHECK(log.lines().size() == 1);
            CHECK(socket.error() == SocketError::Operation);
            CHECK(socket.state() == reached);
            CHECK(socket.peerName() == name);
        }
        {
            auto socket = std::make_unique<TcpSocket>();
            begin(*socket);
            socket.reset();
        }
        pumpIdle();
        CHECK(openDescriptors() == before);
    }
    pumpIdle();
    CHECK(good.descriptor() >= 0);
}

TEST_CASE("ended while looking up, it connects, sends what was written and ends") {
    const PlainSocket listener = listeningAt(four);
    Names names({{"a.test", {four}}});
    for (const bool byClose : {false, true}) {
        names.hold();
        TcpSocket socket;
        SocketTrace trace(socket);
        socket.connectToHost("a.test", listener.port());
        CHECK(socket.write("early ") == 6);
        socket.hostFound.connect([&] { socket.write("bird"); });
        byClose ? socket.close() : socket.disconnectFromHost();
        CHECK(trace.take() == "HostLookup");
        names.release();
        REQUIRE(pumpTo(socket, SocketState::Unconnected));
        CHECK(trace.text().starts_with("Connecting hostFound Connected connected"));
        CHECK(trace.text().ends_with("Closing bytesWritten(10) Unconnected readChannelFinished disconnected"));
        CHECK(listener.accept().receive() == "early bird");
    }
}

TEST_CASE("every signal of a connecting by name may abort, delete and connect anew") {
    const std::uint16_t port = portFreeAt({four, otherFour});
    const PlainSocket listener = listeningAt(four, port);
    const Refusing refusing(otherFour, port);
    const Names names({{"good.test", {otherFour, four}}, {"bad.test", {otherFour}}});
    enum class Do { Abort, Delete, Reconnect, Wait };
    struct Case {
        const char* host;
        const char* when;
    };
    for (const Case& each :
         {Case{"good.test", "HostLookup"}, Case{"good.test", "Connecting"}, Case{"good.test", "hostFound"},
          Case{"good.test", "Connected"}, Case{"good.test", "connected"}, Case{"bad.test", "Connecting"},
          Case{"bad.test", "Unconnected"}, Case{"bad.test", "error"}, Case{"none.test", "Unconnected"},
          Case{"none.test", "error"}}) {
        for (const Do action : {Do::Abort, Do::Delete, Do::Reconnect, Do::Wait}) {
            for (const bool inWait : {false, true}) {
                CAPTURE(each.host);
                CAPTURE(each.when);
                CAPTURE(static_cast<int>(action));
                CAPTURE(inWait);
                auto* socket = new TcpSocket;
                const Pointer<TcpSocket> alive(socket);
                bool done = false;
                const auto act = [&](const std::string& what) {
                    if (done || what != each.when)
                        return;
                    done = true;
                    switch (action) {
                    case Do::Abort:
                        socket->abort();
                        break;
                    case Do::Delete:
                        delete socket;
                        break;
                    case Do::Reconnect:
                        socket->abort();
                        socket->connectToHost("good.test", port);
                        break;
                    case Do::Wait:
                        socket->waitForConnected();
                        break;
                    }
                };
                socket->stateChanged.connect([&](SocketState state) { act(std::string(nameOf(state))); });
                socket->hostFound.connect([&] { act("hostFound"); });
                socket->connected.connect([&] { act("connected"); });
                socket->errorOccurred.connect([&](SocketError) { act("error"); });
                socket->connectToHost(each.host, port);
                if (inWait && alive)
                    socket->waitForConnected();
                CHECK(pumpUntil([&] { return done; }));
                if (action == Do::Delete) {
                    CHECK_FALSE(alive);
                } else if (action == Do::Abort) {
                    CHECK(socket->state() == SocketState::Unconnected);
                } else if (action == Do::Reconnect || std::string(each.host) == "good.test") {
                    CHECK(pumpTo(*socket, SocketState::Connected));
                } else {
                    CHECK(pumpTo(*socket, SocketState::Unconnected));
                }
                pumpIdle(2);
                if (alive)
                    delete socket;
            }
        }
    }
}

TEST_CASE("one budget for the lookup and the race: a wait that is too short gives the connecting up") {
    const Silent silent(four);
    Names names({{"a.test", {four}}});
    for (const bool hold : {true, false}) {
        if (hold)
            names.hold();
        TcpSocket socket;
        SocketTrace trace(socket);
        socket.connectToHost("a.test", silent.endpoint().port);
        const auto begin = std::chrono::steady_clock::now();
        CHECK_FALSE(socket.waitForConnected(60));
        CHECK(std::chrono::steady_clock::now() - begin >= 60ms);
        CHECK(socket.state() == SocketState::Unconnected);
        CHECK(socket.error() == SocketError::SocketTimeout);
        CHECK(trace.text() == (hold ? "HostLookup Unconnected readChannelFinished"
                                    : "HostLookup Connecting hostFound Unconnected readChannelFinished"));
        names.release();
        pumpIdle();
    }
}

TEST_CASE("waits alone, in a thread without a loop: by name to the last byte") {
    const PlainSocket listener = listeningAt(four, portFreeAt({four, otherFour}));
    const Silent silent(otherFour, listener.port());
    const Names names({{"a.test", {otherFour, four}}});
    std::string got;
    std::thread peer([&] {
        const PlainSocket connection = listener.accept();
        got = connection.receive(4);
        connection.send("pong");
        connection.receive();
    });
    std::thread([&] {
        TcpSocket socket;
        socket.setConnectionAttemptDelay(20ms);
        socket.connectToHost("a.test", listener.port());
        CHECK(socket.write("ping") == 4);
        CHECK(socket.waitForBytesWritten(10'000));
        CHECK(socket.waitForReadyRead(10'000));
        CHECK(socket.readAll() == "pong");
        socket.disconnectFromHost();
        CHECK(socket.waitForDisconnected(10'000));
    }).join();
    peer.join();
    CHECK(got == "ping");
}

TEST_CASE("the connect timeout covers the lookup and the race together") {
    const Silent silent(four);
    Names names({{"held.test", {four}}, {"dead.test", {four}}});
    names.hold("held.test");
    for (const char* const name : {"held.test", "dead.test"}) {
        TcpSocket socket;
        SocketTrace trace(socket);
        socket.setConnectTimeout(50ms);
        const auto begin = std::chrono::steady_clock::now();
        socket.connectToHost(name, silent.endpoint().port);
        REQUIRE(pumpTo(socket, SocketState::Unconnected));
        CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
        CHECK(trace.text().ends_with("Unconnected error(SocketTimeout while Unconnected)"));
        CHECK(socket.errorString().find(name) != std::string::npos);
    }
}

TEST_CASE("bound before, it connects from there, to addresses of that family only") {
    const std::uint16_t port = portFreeAt({four, six, otherFour});
    const PlainSocket listener = listeningAt(four, port);
    const PlainSocket sixListener = listeningAt(six, port);
    const Silent silent(otherFour, port);
    const Names names({{"a.test", {six, otherFour, four}}, {"six.test", {six}}});
    TcpSocket socket;
    socket.setConnectionAttemptDelay(20ms);
    REQUIRE(socket.bind(HostAddress("127.0.0.9")));
    const std::uint16_t from = socket.localPort();
    REQUIRE(from != 0);
    socket.connectToHost("a.test", port);
    CHECK(socket.localPort() == from);
    REQUIRE(pumpTo(socket, SocketState::Connected));
    CHECK(socket.peerAddress() == four);
    CHECK(socket.localAddress() == HostAddress("127.0.0.9"));
    CHECK(socket.localPort() == from);
    socket.abort();

    REQUIRE(socket.bind(HostAddress("127.0.0.9")));
    socket.connectToHost("six.test", port);
    CHECK_FALSE(socket.waitForConnected());
    CHECK(socket.error() == SocketError::UnsupportedSocketOperation);

    REQUIRE(socket.bind());
    const std::uint16_t anyFrom = socket.localPort();
    socket.connectToHost("a.test", port);
    REQUIRE(socket.waitForConnected());
    CHECK(socket.peerAddress() == six);
    CHECK(socket.localPort() == anyFrom);
}

TEST_CASE("options that were set before are set on the connection that won") {
    const std::uint16_t port = portFreeAt({four, otherFour});
    const PlainSocket listener = listeningAt(otherFour, port);
    const Refusing refusing(four, port);
    const Names names({{"a.test", {four, otherFour}}});
    TcpSocket socket;
    socket.setSocketOption(SocketOption::KeepAliveIdle, 77);
    socket.connectToHost("a.test", port);
    REQUIRE(pumpTo(socket, SocketState::Connected));
    CHECK(socket.socketOption(SocketOption::KeepAliveIdle) == 77);
}

TEST_CASE("deleted while looking up or racing, it delivers what was written all the same") {
    const PlainSocket listener = listeningAt(four);
    Names names({{"a.test", {four}}});
    for (const bool held : {true, false}) {
        if (held)
            names.hold();
        auto socket = std::make_unique<TcpSocket>();
        socket->connectToHost("a.test", listener.port());
        socket->write("testament");
        if (!held)
            REQUIRE(pumpTo(*socket, SocketState::Connecting));
        socket.reset();
        names.release();
        std::string got;
        bool ended = false;
        std::thread peer([&, &loop = *EventLoop::current()] {
            got = listener.accept().receive();
            loop.post([&ended] { ended = true; });
        });
        CHECK(pumpUntil([&] { return ended; }));
        peer.join();
        CHECK(got == "testament");
    }
}

TEST_CASE("a hundred sockets connect by name at once") {
    const std::uint16_t port = portFreeAt({four, six});
    const Refusing nobody(six, port);
    TcpServer server;
    REQUIRE(server.listen(four, port));
    server.setMaxPendingConnections(1000);
    const Names names({{"a.test", {four}}});
    std::vector<std::unique_ptr<TcpSocket>> sockets;
    int connected = 0;
    for (int i = 0; i != 100; ++i) {
        sockets.push_back(std::make_unique<TcpSocket>());
        sockets.back()->connected.connect([&connected] { ++connected; });
        sockets.back()->connectToHost(i % 2 == 0 ? "a.test" : "localhost", port);
    }
    CHECK(pumpUntil([&] { return connected == 100; }));
}

TEST_CASE("watermarks may be set anew when a connection has failed over a full buffer") {
    const Refusing refusing(four);
    TcpSocket socket;
    int drained = 0;
    socket.writeBufferDrained.connect([&] { ++drained; });
    socket.setWriteBufferWatermarks(1, 2);
    socket.connectToHost(four, refusing.endpoint().port);
    CHECK(socket.write("early") == 5);
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    socket.setWriteBufferWatermarks(100, 1'000);
    EventLoop::current()->processEvents();
    CHECK(drained == 0);
    CHECK(socket.bytesToWrite() == 0);
}

TEST_CASE("who is bound to one family connects by a name to addresses of that one only") {
    Names names({{"both", {six, four}}});
    const std::uint16_t port = portFreeAt({four, six});
    const PlainSocket listener = listeningAt(six, port);
    for (const bool isFour : {true, false}) {
        TcpSocket socket;
        REQUIRE(socket.bind(isFour ? HostAddress(HostAddress::AnyIPv4) : HostAddress(HostAddress::Any)));
        socket.connectToHost("both", port);
        if (isFour) {
            CHECK(pumpUntil([&] { return socket.error() == SocketError::ConnectionRefused; }));
        } else {
            CHECK(pumpTo(socket, SocketState::Connected));
        }
    }
    const PlainSocket other = listeningAt(four, port);
    for (const auto which : {HostAddress::AnyIPv4, HostAddress::Any}) {
        TcpSocket socket;
        REQUIRE(socket.bind(which));
        socket.connectToHost("both", port);
        CHECK(pumpTo(socket, SocketState::Connected));
        CHECK(socket.peerAddress() == (which == HostAddress::Any ? six : four));
    }
}
