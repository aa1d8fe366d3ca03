#include <plain_socket.h>

#include <halyard/net/network_proxy.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

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

/// The application's selector while it lives.
struct ApplicationSelector {
    explicit ApplicationSelector(ProxySelector selector) { NetworkProxy::setApplicationSelector(std::move(selector)); }
    ApplicationSelector(const ApplicationSelector&) = delete;
    ApplicationSelector& operator=(const ApplicationSelector&) = delete;
    ~ApplicationSelector() { NetworkProxy::setApplicationSelector({}); }
};

const HostAddress elsewhere("192.0.2.1"); // RFC 5737: nobody's

/// A proxy at a port where nobody listens.
NetworkProxy nobody() {
    const PlainSocket listener = PlainSocket::listening();
    return {NetworkProxy::Socks5, "127.0.0.1", listener.port(), {}, {}};
}

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

TEST_CASE("a server does not listen where a proxy that cannot would have to, and never directly instead") {
    for (const bool own : {true, false}) {
        const ApplicationProxy application(own ? none : http);
        TcpServer server;
        server.setProxy(own ? http : NetworkProxy());
        CHECK_FALSE(server.listen());
        CHECK_FALSE(server.isListening());
        CHECK(server.socketDescriptor() == -1);
        CHECK(server.serverError() == SocketError::UnsupportedSocketOperation);
        CHECK(server.errorString() == "cannot listen at *:0: no proxy that applies can listen");
        CHECK(server.listen(HostAddress("127.0.0.5"))); // loopback is always direct
        CHECK(server.serverError() == SocketError::None);
        server.close();
        server.setProxy(none);
        CHECK(server.listen());
    }
}

TEST_CASE("a proxy that is set while a server listens is for its next listen()") {
    TcpServer server;
    REQUIRE(server.listen());
    server.setProxy(http);
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    CHECK(server.waitForNewConnection(5000));
    server.close();
    CHECK_FALSE(server.listen());
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
    socket.setProxy(nobody());
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        socket.connectToHost(host, server.serverPort());
        CHECK_FALSE(socket.waitForConnected(5000));
        CHECK(socket.error() == SocketError::ProxyConnectionRefused);
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

TEST_CASE("a selector is asked once for each connection and listener, and the first proxy that can do it is taken") {
    std::vector<ProxyQuery> asked;
    std::vector<NetworkProxy> answer{http, nobody()};
    const ApplicationSelector selector([&](const ProxyQuery& query) {
        asked.push_back(query);
        return answer;
    });
    CHECK(NetworkProxy::applicationProxy() == none);
    TcpServer server;
    CHECK_FALSE(server.listen(HostAddress::Any, 4000));
    CHECK(server.serverError() == SocketError::ProxyConnectionRefused); // by the second one
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].kind == ProxyQuery::Kind::Listen);
    CHECK(asked[0].host == "0.0.0.0");
    CHECK(asked[0].port == 4000);
    TcpSocket socket;
    answer = {nobody(), http};
    socket.connectToHost("host.example", 80);
    CHECK_FALSE(socket.waitForConnected(5000));
    CHECK(socket.error() == SocketError::ProxyConnectionRefused);
    REQUIRE(asked.size() == 2);
    CHECK(asked[1].kind == ProxyQuery::Kind::Connect);
    CHECK(asked[1].host == "host.example");
    CHECK(asked[1].port == 80);
    for (const auto& direct : {std::vector<NetworkProxy>{}, {none, http}, {NetworkProxy(), http}}) {
        answer = direct;
        CHECK(server.listen());
        server.close();
        socket.connectToHost(elsewhere, 80);
        CHECK(socket.socketDescriptor() >= 0);
        socket.abort();
    }
    const std::size_t before = asked.size();
    CHECK(server.listen(HostAddress::LocalHost));
    socket.connectToHost("localhost", server.serverPort());
    CHECK(socket.waitForConnected(5000));
    CHECK(asked.size() == before); // never about this machine
    answer = {http};
    server.close();
    CHECK_FALSE(server.listen());
    CHECK(server.serverError() == SocketError::UnsupportedSocketOperation);
}

TEST_CASE("an application has a proxy or a selector, the one that was set last") {
    const ApplicationSelector selector([](const ProxyQuery&) { return std::vector{http}; });
    TcpServer server;
    CHECK_FALSE(server.listen());
    NetworkProxy::setApplicationProxy(none);
    CHECK(server.listen());
    server.close();
    NetworkProxy::setApplicationProxy(http);
    CHECK_FALSE(server.listen());
    NetworkProxy::setApplicationSelector([](const ProxyQuery&) { return std::vector<NetworkProxy>(); });
    CHECK(server.listen());
}
