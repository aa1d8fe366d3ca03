#include "both_ways.h"
#include "scripted_proxy.h"

#include <logged.h>

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

/// Says that 198.51.100.7:12345 has come.
const std::string comer("\x05\x00\x00\x01\xc6\x33\x64\x07\x30\x39", 10);

bool waitsForClient(TcpServer& server, Way way) {
    if (way == Way::Wait)
        return server.waitForNewConnection(msecOfPatience());
    return pumpUntil([&] { return server.hasPendingConnections(); });
}

/// Something that a test lets happen on the thread of a script.
class Gate {
  public:
    void open() { isOpen_ = true; }
    void pass() const {
        while (!isOpen_)
            std::this_thread::yield();
    }

  private:
    std::atomic<bool> isOpen_ = false;
};

} // namespace

TEST_CASE(
    "a server behind a SOCKS proxy: it listens where the proxy says, and its client comes with the second reply") {
    for (const Way way : bothWays) {
        Gate gate;
        std::string request;
        std::string got;
        {
            const ScriptedProxy proxy({[&](PlainSocket& client) {
                request = socksRequest(client);
                client.send(socksReply());
                gate.pass();
                client.send(comer + "hello");
                got = client.receive();
            }});
            TcpServer server;
            server.setProxy(proxy.socks());
            int announced = 0;
            bool listened = true;
            server.newConnection.connect([&] {
                ++announced;
                listened = server.isListening();
            });
            REQUIRE(server.listen(HostAddress::Any, 4000));
            CHECK(request == std::string("\x05\x02\x00\x01\x00\x00\x00\x00\x0f\xa0", 10));
            CHECK(server.isListening());
            CHECK(server.serverAddress() == HostAddress("192.0.2.1"));
            CHECK(server.serverPort() == 80);
            CHECK(server.socketDescriptor() >= 0);
            {
                Logged logged;
                CHECK_FALSE(server.listen());
                CHECK(logged.linesWith("the server listens already") == 1);
            }
            pumpIdle();
            CHECK_FALSE(server.waitForNewConnection(0));
            CHECK(announced == 0);
            CHECK_FALSE(server.hasPendingConnections());
            gate.open();
            REQUIRE(waitsForClient(server, way));
            CHECK(announced == 1);
            CHECK_FALSE(listened);
            CHECK_FALSE(server.isListening());
            CHECK(server.serverPort() == 0);
            CHECK(server.acceptState() == AcceptState::Closed);
            const std::unique_ptr<TcpSocket> socket(server.nextPendingConnection());
            REQUIRE(socket != nullptr);
            CHECK(socket->peerAddress() == HostAddress("198.51.100.7"));
            CHECK(socket->peerPort() == 12345);
            CHECK(socket->state() == SocketState::Connected);
            CHECK(pumpUntil([&] { return socket->bytesAvailable() >= 5; }));
            CHECK(socket->readAll() == "hello");
            socket->write("world");
            socket->disconnectFromHost();
            CHECK_FALSE(server.waitForNewConnection(0));
            bool timedOut = true;
            CHECK_FALSE(server.waitForNewConnection(1000, &timedOut));
            CHECK_FALSE(timedOut); // it does not listen
        }
        CHECK(got == "world");
    }
}

TEST_CASE("a server behind a SOCKS proxy may listen again, in the slot too, or do so by itself") {
    std::vector<ScriptedProxy::Script> scripts;
    for (char i = 1; i <= 3; ++i)
        scripts.emplace_back([i](PlainSocket& client) {
            socksRequest(client);
            std::string reply = socksReply();
            reply.back() = i;
            client.send(reply + comer + i);
            stay(client);
        });
    for (const Way way : bothWays) {
        for (const bool bySlot : {true, false}) {
            const ScriptedProxy proxy(scripts);
            TcpServer server;
            server.setProxy(proxy.socks());
            server.setRebind(!bySlot);
            int moves = 0;
            server.rebound.connect([&] {
                ++moves;
                CHECK(server.serverPort() == moves + 1);
            });
            int listens = 1;
            if (bySlot)
                server.newConnection.connect([&] {
                    if (listens++ != 3)
                        CHECK(server.listen());
                });
            REQUIRE(server.listen());
            CHECK(server.serverPort() == 1);
            for (char i = 1; i <= 3; ++i) {
                REQUIRE(waitsForClient(server, way));
                const std::unique_ptr<TcpSocket> socket(server.nextPendingConnection());
                CHECK(pumpUntil([&] { return socket->bytesAvailable() != 0; }));
                CHECK(socket->readAll() == std::string(1, i));
            }
            CHECK(server.isListening() == !bySlot);
            CHECK(moves == (bySlot ? 0 : 2));
        }
    }
}

TEST_CASE("a proxy that cannot be asked for another client is asked again after a while") {
    for (const Way way : bothWays) {
        const auto serving = [](PlainSocket& client) {
            socksRequest(client);
            client.send(socksReply() + comer);
            stay(client);
        };
        const auto failing = [](PlainSocket& client) {
            socksRequest(client);
            client.send(socksReply(1));
        };
        const ScriptedProxy proxy({serving, failing, failing, serving});
        Logged logged;
        TcpServer server;
        server.setProxy(proxy.socks());
        server.setRebind(true);
        int errors = 0;
        server.acceptError.connect([&](SocketError error) {
            ++errors;
            CHECK(error == SocketError::Network);
            CHECK(server.acceptState() == AcceptState::PausedByError);
        });
        REQUIRE(server.listen());
        for (int i = 0; i != 2; ++i) {
            REQUIRE(waitsForClient(server, way));
            delete server.nextPendingConnection();
        }
        CHECK(errors == 1);
        CHECK(server.serverError() == SocketError::None);
    }
}

TEST_CASE("a proxy that is lost before a client came") {
    for (const bool isWaiting : {false, true}) {
        Gate gate;
        const ScriptedProxy proxy({[&](PlainSocket& client) {
            socksRequest(client);
            client.send(socksReply());
            gate.pass();
        }});
        Logged logged;
        TcpServer server;
        server.setProxy(proxy.socks("user", "secret"));
        SocketError told = SocketError::None;
        server.acceptError.connect([&](SocketError error) {
            told = error;
            CHECK_FALSE(server.isListening());
        });
        REQUIRE(server.listen());
        gate.open();
        if (isWaiting) {
            bool timedOut = true;
            CHECK_FALSE(server.waitForNewConnection(msecOfPatience(), &timedOut));
            CHECK_FALSE(timedOut);
        } else {
            CHECK(pumpUntil([&] { return told != SocketError::None; }));
        }
        CHECK(told == SocketError::ProxyConnectionClosed);
        CHECK(server.serverError() == SocketError::ProxyConnectionClosed);
        CHECK(server.errorString() ==
              "cannot accept at *:0 by the proxy " + proxy.socks().toString() + ": it closed the connection too early");
        CHECK(logged.linesWith(server.errorString()) == 1);
    }
}

TEST_CASE("what can go wrong with listening by a SOCKS proxy, and how it is told") {
    const auto fails = [](ScriptedProxy::Script script, SocketError error, const std::string& reason) {
        const ScriptedProxy proxy({std::move(script)});
        TcpServer server;
        server.setProxy(proxy.socks("user", "secret"));
        CHECK_FALSE(server.listen());
        CHECK(server.serverError() == error);
        CHECK(server.errorString() == "cannot listen at *:0 by the proxy " + proxy.socks().toString() + ": " + reason);
        CHECK_FALSE(server.isListening());
        CHECK(server.socketDescriptor() == -1);
        CHECK(server.serverAddress().isNull());
        CHECK(server.serverPort() == 0);
    };
    const std::vector<std::pair<SocketError, std::string>> replies{
        {SocketError::Network, "it failed, and says no more"},
        {SocketError::SocketAccess, "its rules do not allow that"},
        {SocketError::Network, "it has no way to that network"},
        {SocketError::HostNotFound, "it does not find or reach that host"},
        {SocketError::ConnectionRefused, "the connection behind it was refused"},
        {SocketError::Network, "the way behind it was too long"},
        {SocketError::UnsupportedSocketOperation, "it cannot do that"},
        {SocketError::UnsupportedSocketOperation, "it cannot do that with this kind of address"},
        {SocketError::Unknown, "it failed with the unknown reply 9"}};
    for (std::size_t i = 0; i != replies.size(); ++i)
        fails(
            [i](PlainSocket& client) {
                socksRequest(client);
                client.send(socksReply(static_cast<int>(i) + 1));
            },
            replies[i].first, replies[i].second);
    fails([](PlainSocket&) {}, SocketError::ProxyConnectionClosed, "it closed the connection too early");
    fails(
        [](PlainSocket& client) {
            client.send("ICY 200 OK\r\n");
            stay(client);
        },
        SocketError::ProxyProtocol, "it does not speak SOCKS version 5");
    fails(
        [](PlainSocket& client) {
            client.receive(1);
            client.send("\x05\xff");
            stay(client);
        },
        SocketError::ProxyAuthenticationRequired, "it takes neither a user name and a password nor none");
}

TEST_CASE("a silent proxy, and one that speaks without an end, keep listen() until the time is over") {
    const ScriptedProxy proxy({stay, [](PlainSocket& client) {
                                   socksRequest(client);
                                   client.send(socksReply().substr(0, 9));
                                   stay(client);
                               }});
    TcpServer server;
    server.setProxy(proxy.socks());
    CHECK(server.proxyTimeout() == 5s);
    server.setProxyTimeout(30ms);
    for (int i = 0; i != 2; ++i) {
        CHECK_FALSE(server.listen());
        CHECK(server.serverError() == SocketError::ProxyConnectionTimeout);
        CHECK(server.errorString().ends_with(": it did not answer in time"));
    }
    server.setProxy({NetworkProxy::None, {}, 0, {}, {}});
    CHECK(server.listen()); // nothing is left of it
    CHECK(server.serverError() == SocketError::None);
}

TEST_CASE("a server behind a proxy may be paused, closed, moved and deleted while it listens") {
    Gate gate;
    const auto script = [&gate](PlainSocket& client) {
        socksRequest(client);
        client.send(socksReply());
        gate.pass();
        client.send(comer);
        stay(client);
    };
    const ScriptedProxy proxy({[](PlainSocket& client) {
                                   socksRequest(client);
                                   client.send(socksReply());
                                   stay(client);
                               },
                               [](PlainSocket& client) {
                                   socksRequest(client);
                                   client.send(socksReply());
                                   stay(client);
                               },
                               script});
    auto server = std::make_unique<TcpServer>();
    server->setProxy(proxy.socks());
    REQUIRE(server->listen());
    server->close();
    CHECK_FALSE(server->isListening());
    pumpIdle();
    REQUIRE(server->listen());
    server = std::make_unique<TcpServer>();
    pumpIdle();
    server->setProxy(proxy.socks());
    REQUIRE(server->listen());
    server->pauseAccepting();
    gate.open();
    pumpIdle();
    CHECK(server->acceptState() == AcceptState::PausedByUser);
    CHECK_FALSE(server->hasPendingConnections());
    server->resumeAccepting();
    CHECK(pumpUntil([&] { return server->hasPendingConnections(); }));
    server->newConnection.disconnectAll();
    server.reset();
}

TEST_CASE("an override of incomingConnection gets a descriptor that is as any other") {
    struct Raw : TcpServer {
        void incomingConnection(int socketDescriptor) override { descriptor = socketDescriptor; }
        int descriptor = -1;
    };
    const ScriptedProxy proxy({[](PlainSocket& client) {
        socksRequest(client);
        client.send(socksReply() + comer + "hello");
        stay(client);
    }});
    Raw server;
    server.setProxy(proxy.socks());
    REQUIRE(server.listen());
    CHECK(pumpUntil([&] { return server.descriptor >= 0; }));
    TcpSocket socket;
    REQUIRE(socket.setSocketDescriptor(server.descriptor));
    CHECK(pumpUntil([&] { return socket.bytesAvailable() >= 5; }));
    CHECK(socket.readAll() == "hello");
}

TEST_CASE("an address of a reply that is none, or not one's own, or a name") {
    const auto addressOf = [](const std::string& reply) {
        const ScriptedProxy proxy({[&](PlainSocket& client) {
            socksRequest(client);
            client.send(reply);
            stay(client);
        }});
        TcpServer server;
        server.setProxy(proxy.socks());
        CHECK(server.listen());
        CHECK(server.serverPort() == 80);
        return server.serverAddress();
    };
    CHECK(addressOf(std::string("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x50", 10)) == HostAddress::LocalHost);
    CHECK(addressOf(std::string("\x05\x00\x00\x03\x04name\x00\x50", 11)).isNull());
}
