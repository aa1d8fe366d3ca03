#include "socket_trace.h"
#include <plain_socket.h>

#include <halyard/net/network_proxy.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

using namespace halyard;
using namespace halyard::test;

static_assert(std::is_aggregate_v<NetworkProxy>);

namespace {

const NetworkProxy socks{NetworkProxy::Type::Socks5, "proxy.example", 1080, "user", "password"};
const NetworkProxy http{.type = NetworkProxy::Http, .host = "proxy.example", .port = 3128, .user = {}, .password = {}};
const NetworkProxy none{NetworkProxy::None, {}, 0, {}, {}};

/// The application's proxy while it lives.
struct ApplicationProxy {
    explicit ApplicationProxy(const NetworkProxy& proxy) { NetworkProxy::setApplicationProxy(proxy); }
    ApplicationProxy(const ApplicationProxy&) = delete;
    ApplicationProxy& operator=(const ApplicationProxy&) = delete;
    ~ApplicationProxy() { NetworkProxy::setApplicationProxy(none); }
};

const HostAddress elsewhere("192.0.2.1"); // RFC 5737: nobody's

} // namespace

TEST_CASE("a proxy is a value, and nobody has one until it is set") {
    CHECK(NetworkProxy().type == NetworkProxy::Type::Default);
    CHECK(NetworkProxy::applicationProxy() == none);
    CHECK(TcpServer().proxy() == NetworkProxy());
    CHECK(TcpSocket().proxy() == NetworkProxy());
    TcpServer server;
    server.setProxy(socks);
    CHECK(server.proxy() == socks);
    TcpSocket socket;
    socket.setProxy(http);
    CHECK(socket.proxy() == http);
    CHECK(socket.proxy() != socks);
    socket.setProxy({});
    CHECK(socket.proxy() == NetworkProxy());
    const ApplicationProxy application(socks);
    CHECK(NetworkProxy::applicationProxy() == socks);
}

TEST_CASE("a server does not listen where a proxy would have to, and never directly instead") {
    for (const NetworkProxy& proxy : {socks, http}) {
        for (const bool own : {true, false}) {
            const ApplicationProxy application(own ? none : proxy);
            TcpServer server;
            server.setProxy(own ? proxy : NetworkProxy());
            CHECK_FALSE(server.listen());
            CHECK_FALSE(server.isListening());
            CHECK(server.socketDescriptor() == -1);
            CHECK(server.serverError() == SocketError::UnsupportedSocketOperation);
            CHECK(server.errorString() == "cannot listen at *:0 by a proxy: this version has no proxies");
            CHECK(server.listen(HostAddress("127.0.0.5"))); // loopback is always direct
            CHECK(server.serverError() == SocketError::None);
            server.close();
            server.setProxy(none);
            CHECK(server.listen());
        }
    }
}

TEST_CASE("a proxy that is set while a server listens is for its next listen()") {
    TcpServer server;
    REQUIRE(server.listen());
    server.setProxy(socks);
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    CHECK(server.waitForNewConnection(5000));
    server.close();
    CHECK_FALSE(server.listen());
}

TEST_CASE("a socket does not connect where a proxy would have to, and never directly instead") {
    for (const NetworkProxy& proxy : {socks, http}) {
        for (const bool own : {true, false}) {
            const ApplicationProxy application(own ? none : proxy);
            TcpSocket socket;
            socket.setProxy(own ? proxy : NetworkProxy());
            SocketTrace trace(socket);
            socket.connectToHost(elsewhere, 80);
            CHECK(trace.take() == "error(UnsupportedSocketOperation while Unconnected)");
            CHECK(socket.errorString() == "cannot connect to 192.0.2.1:80 by a proxy: this version has no proxies");
            CHECK_FALSE(socket.waitForConnected(1000));
            socket.connectToHost("host.example", 80);
            CHECK(trace.take() == "error(UnsupportedSocketOperation while Unconnected)");
            CHECK(socket.errorString() == "cannot connect to host.example:80 by a proxy: this version has no proxies");
        }
    }
}

TEST_CASE("the application's proxy is not for this machine, a socket's own is") {
    const ApplicationProxy application(socks);
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket socket;
    socket.connectToHost(HostAddress::LocalHost, server.serverPort());
    CHECK(socket.waitForConnected(5000));
    socket.abort();
    socket.connectToHost("localhost", server.serverPort());
    CHECK(socket.waitForConnected(5000));
    socket.abort();
    socket.setProxy(http);
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        socket.connectToHost(host, server.serverPort());
        CHECK(socket.error() == SocketError::UnsupportedSocketOperation);
        CHECK(socket.state() == SocketState::Unconnected);
    }
}

TEST_CASE("a socket of type None goes directly, whatever the application has") {
    const ApplicationProxy application(http);
    TcpSocket socket;
    socket.setProxy(none);
    socket.connectToHost(elsewhere, 80);
    CHECK(socket.state() == SocketState::Connecting);
    socket.abort();
}
