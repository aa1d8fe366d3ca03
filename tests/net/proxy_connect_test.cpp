#include "both_ways.h"
#include "scripted_proxy.h"
#include "socket_trace.h"

#include <logged.h>

#include <halyard/net/host_lookup.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <dirent.h>
#include <poll.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

const HostAddress elsewhere("192.0.2.7"); // RFC 5737: nobody's

std::size_t openDescriptors() {
    std::size_t count = 0;
    DIR* const directory = ::opendir("/proc/self/fd");
    while (::readdir(directory) != nullptr)
        ++count;
    ::closedir(directory);
    return count;
}

/// Echoes what it gets.
void echo(PlainSocket& client) {
    for (std::string all = client.receive(1); !all.empty(); all = client.receive(1))
        client.send(all);
}

void expectFailure(ScriptedProxy::Script script, NetworkProxy::Type type, SocketError error, std::string_view reason,
                   std::string user = {}) {
    for (const Way way : bothWays) {
        CAPTURE(reason);
        const ScriptedProxy proxy({script, script});
        TcpSocket socket;
        const NetworkProxy which{type, "127.0.0.1", proxy.port(), user, user.empty() ? "" : "secret"};
        socket.setProxy(which);
        SocketTrace trace(socket);
        socket.connectToHost("host.example", 80);
        CHECK_FALSE(connects(socket, way));
        CHECK(trace.take() ==
              "HostLookup Connecting Unconnected error(" + std::string(nameOf(error)) + " while Unconnected)");
        CHECK(socket.error() == error);
        CHECK(socket.errorString() ==
              "cannot connect to host.example:80 by the proxy " + which.toString() + ": " + std::string(reason));
        CHECK(socket.errorString().find("secret") == std::string::npos);
        CHECK(socket.socketDescriptor() == -1);
    }
}

} // namespace

TEST_CASE("by a SOCKS proxy to an address: the same signals as directly, and the peer is known") {
    for (const Way way : bothWays) {
        std::string request;
        const ScriptedProxy proxy({[&](PlainSocket& client) {
            request = socksRequest(client);
            client.send(socksReply() + "hello"); // the peer speaks at once
            echo(client);
        }});
        TcpSocket socket;
        socket.setProxy(proxy.socks());
        SocketTrace trace(socket);
        socket.connectToHost(elsewhere, 80);
        socket.write("early");
        CHECK(trace.take() == "HostLookup Connecting hostFound");
        REQUIRE(connects(socket, way));
        CHECK(trace.take().starts_with("Connected connected"));
        CHECK(socket.peerAddress() == elsewhere);
        CHECK(socket.peerPort() == 80);
        CHECK(socket.peerName() == "192.0.2.7");
        CHECK(socket.localAddress() == HostAddress::LocalHost);
        CHECK(receives(socket, "helloearly", way));
        socket.write("more");
        CHECK(receives(socket, "more", way));
        CHECK(request == std::string("\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x50", 10));
        socket.disconnectFromHost();
        CHECK(socket.state() == SocketState::Unconnected);
    }
}

TEST_CASE("by a proxy to a name: the proxy finds the host, and nobody here knows its address") {
    for (const Way way : bothWays) {
        for (const auto type : {NetworkProxy::Socks5, NetworkProxy::Http}) {
            std::string request;
            const ScriptedProxy proxy({[&](PlainSocket& client) {
                request = type == NetworkProxy::Socks5 ? socksRequest(client) : httpRequest(client);
                client.send(type == NetworkProxy::Socks5 ? socksReply() : "HTTP/1.1 200 OK\r\n\r\n");
                echo(client);
            }});
            TcpSocket socket;
            socket.setProxy({type, "127.0.0.1", proxy.port(), {}, {}});
            SocketTrace trace(socket);
            socket.connectToHost("localhost", 80);
            REQUIRE(connects(socket, way));
            CHECK(trace.take() == "HostLookup Connecting Connected connected");
            CHECK(socket.peerAddress().isNull());
            CHECK(socket.peerPort() == 80);
            CHECK(socket.peerName() == "localhost");
            socket.write("abc");
            CHECK(receives(socket, "abc", way));
            CHECK(request.find("localhost") != std::string::npos);
            socket.abort();
        }
    }
}

TEST_CASE("a proxy that speaks byte by byte") {
    for (const Way way : bothWays) {
        const auto slowly = [](PlainSocket& client, const std::string& words) {
            const int yes = 1;
            ::setsockopt(client.descriptor(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &yes, sizeof yes);
            for (const char each : words)
                client.send({&each, 1});
        };
        const ScriptedProxy proxy({[&](PlainSocket& client) {
                                       socksRequest(client);
                                       slowly(client, socksReply() + "data");
                                       stay(client);
                                   },
                                   [&](PlainSocket& client) {
                                       httpRequest(client);
                                       slowly(client, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndata");
                                       stay(client);
                                   }});
        for (const NetworkProxy& each : {proxy.socks(), proxy.http()}) {
            TcpSocket socket;
            socket.setProxy(each);
            socket.connectToHost("host.example", 80);
            REQUIRE(connects(socket, way));
            CHECK(receives(socket, "data", way));
        }
    }
}

TEST_CASE("credentials are told to an HTTP proxy that asks, over the same connection or another one") {
    for (const Way way : bothWays) {
        const std::string challenge =
            "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"r\"\r\nContent-Length: 2\r\n";
        std::string requests[4];
        const auto answer = [](PlainSocket& client) {
            client.send("HTTP/1.1 200 OK\r\n\r\n");
            echo(client);
        };
        const ScriptedProxy proxy({[&](PlainSocket& client) {
                                       requests[0] = httpRequest(client);
                                       client.send(challenge + "\r\nno");
                                       requests[1] = httpRequest(client);
                                       answer(client);
                                   },
                                   [&](PlainSocket& client) {
                                       requests[2] = httpRequest(client);
                                       client.send(challenge + "Connection: close\r\n\r\nno");
                                   },
                                   [&](PlainSocket& client) {
                                       requests[3] = httpRequest(client);
                                       answer(client);
                                   }});
        for (int i = 0; i != 2; ++i) {
            TcpSocket socket;
            socket.setProxy(proxy.http("Aladdin", "open sesame"));
            SocketTrace trace(socket);
            socket.connectToHost("host.example", 80);
            REQUIRE(connects(socket, way));
            CHECK(trace.take() == "HostLookup Connecting Connected connected");
            socket.write("abc");
            CHECK(receives(socket, "abc", way));
        }
        for (int i = 0; i != 4; ++i)
            CHECK((requests[i].find("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") != std::string::npos) == (i % 2 == 1));
    }
}

TEST_CASE("what can go wrong with a SOCKS proxy, and how it is told") {
    const auto saying = [](std::string words) {
        return [words = std::move(words)](PlainSocket& client) {
            client.receive(1);
            client.send(words);
            stay(client);
        };
    };
    const auto replying = [](int code) {
        return [code](PlainSocket& client) {
            socksRequest(client);
            client.send(socksReply(code));
            stay(client);
        };
    };
    constexpr auto socks = NetworkProxy::Socks5;
    expectFailure([](PlainSocket&) {}, socks, SocketError::ProxyConnectionClosed, "it closed the connection too early");
    expectFailure([](PlainSocket& client) { client.reset(); }, socks, SocketError::ProxyConnectionClosed,
                  "it closed the connection too early");
    expectFailure([](PlainSocket& client) { socksRequest(client); }, socks, SocketError::ProxyConnectionClosed,
                  "it closed the connection too early");
    expectFailure(saying("HTTP/1.1 400 Bad\r\n\r\n"), socks, SocketError::ProxyProtocol,
                  "it does not speak SOCKS version 5");
    expectFailure(saying("\x05\xff"), socks, SocketError::ProxyAuthenticationRequired,
                  "it wants to know who asks, and no user name is set");
    expectFailure(saying("\x05\xff"), socks, SocketError::ProxyAuthenticationRequired,
                  "it takes neither a user name and a password nor none", "user");
    expectFailure(
        [](PlainSocket& client) {
            client.receive(4);
            client.send("\x05\x02");
            client.receive(13);
            client.send("\x01\x01");
        },
        socks, SocketError::ProxyAuthenticationRequired, "it rejected the user name or the password", "user");
    expectFailure(replying(1), socks, SocketError::Network, "it failed, and says no more");
    expectFailure(replying(2), socks, SocketError::SocketAccess, "its rules do not allow that");
    expectFailure(replying(5), socks, SocketError::ConnectionRefused, "the connection behind it was refused");
}

TEST_CASE("a proxy that resets before anybody has looked whether it is there has been reached all the same") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    socket.setProxy({NetworkProxy::Socks5, "127.0.0.1", listener.port(), {}, {}});
    socket.connectToHost("host.example", 80);
    pollfd arrival{listener.descriptor(), POLLIN, 0};
    REQUIRE(pumpUntilElsewhere([&] { return ::poll(&arrival, 1, 0) == 1; }));
    listener.accept().reset();
    CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(socket.error() == SocketError::ProxyConnectionClosed);
    CHECK(socket.errorString().ends_with(": it closed the connection too early"));
}

TEST_CASE("what can go wrong with an HTTP proxy, and how it is told") {
    const auto saying = [](std::string words) {
        return [words = std::move(words)](PlainSocket& client) {
            httpRequest(client);
            client.send(words);
            stay(client);
        };
    };
    constexpr auto http = NetworkProxy::Http;
    expectFailure([](PlainSocket& client) { httpRequest(client); }, http, SocketError::ProxyConnectionClosed,
                  "it closed the connection too early");
    expectFailure(saying("SSH-2.0"), http, SocketError::ProxyProtocol, "it does not speak HTTP");
    expectFailure(saying("HTTP/1.1 403 secret\r\n\r\n"), http, SocketError::SocketAccess,
                  "it answered with status 403: it does not allow that");
    expectFailure(saying("HTTP/1.1 503 No\r\n\r\n"), http, SocketError::ConnectionRefused,
                  "it answered with status 503: it could not connect");
    expectFailure(saying("HTTP/1.1 407 No\r\nProxy-Authenticate: Digest\r\n\r\n"), http,
                  SocketError::ProxyAuthenticationRequired, "it wants another authentication than Basic", "user");
    expectFailure(saying(std::string(1 << 20, 'H')), http, SocketError::ProxyProtocol, "it does not speak HTTP");
    expectFailure(saying("HTTP/1.1 200 " + std::string(1 << 20, 'x')), http, SocketError::ProxyProtocol,
                  "its answer is too long");
}

TEST_CASE("a proxy that is not there, or has no name that is known") {
    HostLookup::setResolver([](const std::string&) { return HostAnswer{{}, SocketError::HostNotFound, "nobody"}; });
    for (const Way way : bothWays) {
        std::uint16_t port = 0;
        {
            const PlainSocket nobody = PlainSocket::listening();
            port = nobody.port();
        }
        TcpSocket socket;
        socket.setProxy({NetworkProxy::Socks5, "127.0.0.1", port, {}, {}});
        socket.connectToHost(elsewhere, 80);
        CHECK_FALSE(connects(socket, way));
        CHECK(socket.error() == SocketError::ProxyConnectionRefused);
        CHECK(socket.errorString() == "cannot connect to 192.0.2.7:80 by the proxy socks5://127.0.0.1:" +
                                          std::to_string(port) + ": it refused the connection");
        socket.setProxy({NetworkProxy::Http, "proxy.example", 3128, {}, {}});
        socket.connectToHost(elsewhere, 80);
        CHECK_FALSE(connects(socket, way));
        CHECK(socket.error() == SocketError::ProxyNotFound);
        CHECK(socket.errorString() == "cannot connect to 192.0.2.7:80 by the proxy http://proxy.example:3128: "
                                      "cannot find the host proxy.example: nobody");
    }
    HostLookup::setResolver({});
}

TEST_CASE("what no proxy should be told is not told") {
    const auto refused = [](const NetworkProxy& proxy, const std::string& host) {
        TcpSocket socket;
        socket.setProxy(proxy);
        socket.connectToHost(host, 80);
        CHECK_FALSE(connects(socket, Way::Loop));
        CHECK(socket.errorString().find_first_of(std::string("\r\n\0", 3)) == std::string::npos);
        CHECK(socket.errorString().find("secret") == std::string::npos);
        return socket.error();
    };
    const ScriptedProxy proxy({}); // accepts nobody
    for (const NetworkProxy& each : {proxy.socks(), proxy.http()}) {
        for (const std::string& host :
             {std::string("a\r\nX: y"), std::string("a\nb"), std::string("a\0b", 3), std::string("a b"), std::string(),
              std::string("[::1]"), std::string("a:1"), std::string(300, 'a')})
            CHECK(refused(each, host) == SocketError::HostNotFound);
        for (const std::string& text : {std::string("se\rcret"), std::string("se\ncret"), std::string("se\0cret", 7)}) {
            CHECK(refused({each.type, each.host, each.port, text, "secret"}, "host.example") ==
                  SocketError::ProxyAuthenticationRequired);
            CHECK(refused({each.type, each.host, each.port, "user", text}, "host.example") ==
                  SocketError::ProxyAuthenticationRequired);
        }
    }
    CHECK(refused({NetworkProxy::Socks5, "127.0.0.1", 1, std::string(256, 'u'), {}}, "a") ==
          SocketError::ProxyAuthenticationRequired);
    CHECK(refused({NetworkProxy::Http, "127.0.0.1", 1, "us:er", {}}, "a") == SocketError::ProxyAuthenticationRequired);
    CHECK(refused({NetworkProxy::Http, "127.0.0.1\r\n", 1, {}, {}}, "a") == SocketError::ProxyNotFound);
    CHECK(refused({NetworkProxy::Http, {}, 1, {}, {}}, "a") == SocketError::ProxyNotFound);
}

TEST_CASE("a silent proxy is given up when the time is over") {
    const ScriptedProxy proxy({stay, stay, stay});
    TcpSocket socket;
    socket.setProxy(proxy.socks());
    socket.connectToHost("host.example", 80);
    CHECK_FALSE(socket.waitForConnected(30));
    CHECK(socket.error() == SocketError::SocketTimeout);
    CHECK(socket.errorString() ==
          "cannot connect to host.example:80 by the proxy " + proxy.socks().toString() + ": the time to wait is over");
    CHECK(socket.state() == SocketState::Unconnected);
    socket.setConnectTimeout(30ms);
    socket.connectToHost("host.example", 80);
    CHECK_FALSE(connects(socket, Way::Loop));
    CHECK(socket.error() == SocketError::SocketTimeout);
    CHECK(socket.errorString().find(proxy.socks().toString() + ": ") != std::string::npos);
    socket.setConnectTimeout(0ms);
    ManualClock clock;
    socket.connectToHost("host.example", 80);
    pumpIdle();
    clock.advance(119s);
    CHECK(socket.state() == SocketState::Connecting);
    clock.advance(2s);
    CHECK(socket.error() == SocketError::ProxyConnectionTimeout);
    CHECK(socket.errorString().ends_with(": it did not answer in time"));
}

TEST_CASE("whatever happens to a socket on its way by a proxy, no descriptor is left") {
    const ScriptedProxy proxy({stay, stay, stay, stay, stay, stay});
    const std::size_t before = openDescriptors();
    for (int what = 0; what != 3; ++what) {
        for (const NetworkProxy& each : {proxy.socks(), proxy.http()}) {
            auto socket = std::make_unique<TcpSocket>();
            socket->setProxy(each);
            socket->connectToHost("host.example", 80);
            pumpUntil([&] { return socket->socketDescriptor() >= 0; });
            if (what == 0)
                socket->abort();
            else if (what == 1)
                socket->close();
            socket.reset();
        }
    }
    CHECK(pumpUntilElsewhere([&] { return openDescriptors() == before; }));
}

TEST_CASE("a socket that is deleted on its way by a proxy still delivers what it was given to write") {
    std::string got;
    std::atomic<bool> isOver = false;
    {
        const ScriptedProxy proxy({[&](PlainSocket& client) {
            socksRequest(client);
            client.send(socksReply());
            got = client.receive();
            isOver = true;
        }});
        {
            TcpSocket socket;
            socket.setProxy(proxy.socks());
            socket.connectToHost("host.example", 80);
            socket.write("the last words");
        }
        pumpUntilElsewhere([&] { return isOver.load(); });
    }
    CHECK(got == "the last words");
}

TEST_CASE("every slot on the way by a proxy may delete, abort or reconnect") {
    const auto script = [](PlainSocket& client) {
        if (!socksRequest(client).empty())
            client.send(socksReply());
        stay(client);
    };
    const ScriptedProxy proxy(std::vector<ScriptedProxy::Script>(16, script));
    for (const SocketState when : {SocketState::HostLookup, SocketState::Connecting, SocketState::Connected}) {
        for (int what = 0; what != 3; ++what) {
            auto socket = std::make_unique<TcpSocket>();
            socket->setProxy(proxy.socks());
            bool isDone = false;
            socket->stateChanged.connect([&](SocketState state) {
                if (state != when || isDone)
                    return;
                isDone = true;
                if (what == 0) {
                    socket.reset();
                } else {
                    socket->abort();
                    if (what == 2)
                        socket->connectToHost(elsewhere, 80);
                }
            });
            socket->connectToHost(elsewhere, 80);
            CHECK(pumpUntil([&] {
                return isDone && (socket == nullptr ||
                                  socket->state() == (what == 1 ? SocketState::Unconnected : SocketState::Connected));
            }));
        }
    }
}

TEST_CASE("options and a local address hold for the connection to the proxy") {
    for (const Way way : bothWays) {
        const ScriptedProxy proxy({[](PlainSocket& client) {
            socksRequest(client);
            client.send(socksReply());
            stay(client);
        }});
        TcpSocket socket;
        socket.setProxy(proxy.socks());
        socket.setSocketOption(SocketOption::LowDelay, 1);
        REQUIRE(socket.bind(HostAddress("127.0.0.3")));
        const std::uint16_t port = socket.localPort();
        socket.connectToHost(elsewhere, 80);
        socket.setSocketOption(SocketOption::KeepAlive, 1);
        REQUIRE(connects(socket, way));
        CHECK(socket.localAddress() == HostAddress("127.0.0.3"));
        CHECK(socket.localPort() == port);
        CHECK(socket.socketOption(SocketOption::LowDelay) == 1);
        CHECK(socket.socketOption(SocketOption::KeepAlive) == 1);
    }
}
