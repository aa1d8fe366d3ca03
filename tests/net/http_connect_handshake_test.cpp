#include "http_connect_handshake.h"
#include "proxy_words.h"

#include <doctest/doctest.h>

#include <memory>

using namespace halyard;
using namespace halyard::test;
using State = ProxyHandshake::State;

namespace {

auto maker(std::string host = "host.example", std::string user = {}, std::string password = {}) {
    return [=] { return std::make_unique<HttpConnectHandshake>(host, std::uint16_t{443}, user, password); };
}

template <class Make>
Talk conclude(Make make, const std::vector<std::string>& answers) {
    CHECK(isTheSameInPieces(make, answers));
    auto handshake = make();
    return talk(*handshake, answers, 100000, 100000);
}

const std::string established = "HTTP/1.1 200 Connection established\r\n\r\n";
const std::string challenge = "HTTP/1.1 407 Proxy Authentication Required\r\n"
                              "Proxy-Authenticate: Basic realm=\"here\"\r\n";
const std::string basic = "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"; // RFC 7617 section 2

} // namespace

TEST_CASE("HTTP: the request names the target twice, and no credentials before they are asked for") {
    const Talk all = conclude(maker("host.example", "Aladdin", "open sesame"), {established});
    CHECK(all.said[0] == "CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\nUser-Agent: halyard\r\n"
                         "Proxy-Connection: keep-alive\r\n\r\n");
    CHECK(all.state == State::Stands);
    CHECK(conclude(maker("2001:db8::7"), {established})
              .said[0]
              .starts_with("CONNECT [2001:db8::7]:443 HTTP/1.1\r\n"
                           "Host: [2001:db8::7]:443\r\n"));
    CHECK(conclude(maker("fe80::1%1"), {established}).said[0].starts_with("CONNECT [fe80::1]:443 "));
    CHECK(conclude(maker("192.0.2.7"), {established}).said[0].starts_with("CONNECT 192.0.2.7:443 "));
}

TEST_CASE("HTTP: any 2xx is the tunnel, whatever it says of a body; what comes behind it is the peer's") {
    for (const std::string head : {"HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 Connection established\r\n", "HTTP/1.1 204\r\n",
                                   "HTTP/1.1 299 \r\n", "HTTP/1.1 200 OK\n"}) {
        for (const std::string fields :
             {"", "Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n", "X: a\r\n folded: line\r\nY:\r\n"}) {
            const Talk all = conclude(maker(), {head + fields + "\r\n" + "data"});
            CHECK(all.state == State::Stands);
            CHECK(all.left == "data");
        }
    }
}

TEST_CASE("HTTP: provisional answers are read over") {
    CHECK(conclude(maker(), {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n" + established}).state ==
          State::Stands);
    CHECK(conclude(maker(), {"HTTP/1.1 101 Switching\r\n\r\n"}).error == SocketError::ProxyProtocol);
}

TEST_CASE("HTTP: a 407 is answered over the same connection where that lasts") {
    const auto make = maker("host.example", "Aladdin", "open sesame");
    for (const std::string fields : {"Content-Length: 0\r\n\r\n", "content-length:4 \r\n\r\nbody",
                                     "Connection: keep-alive\r\nContent-Length: 4\r\n\r\n\r\n\r\n"}) {
        const Talk all = conclude(make, {challenge + fields, established + "data"});
        CHECK(all.said[1].find(basic) != std::string::npos);
        CHECK(all.said[1].starts_with("CONNECT host.example:443 "));
        CHECK(all.state == State::Stands);
        CHECK(all.left == "data");
        auto handshake = make();
        CHECK(talk(*handshake, {challenge + fields}, 100000, 100000).state == State::Talking);
    }
}

TEST_CASE("HTTP: a 407 is answered over a new connection where the first does not last") {
    const auto make = maker("host.example", "Aladdin", "open sesame");
    for (const std::string fields : {"\r\n", "Connection: close\r\nContent-Length: 0\r\n\r\n",
                                     "Proxy-Connection: Close, x\r\nContent-Length: 0\r\n\r\n",
                                     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Content-Length: 100000\r\n\r\n",
                                     "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length: 1x\r\n\r\n",
                                     "Content-Length:\r\n\r\n", "Content-Length: 99999999999999999999999999\r\n\r\n"}) {
        auto handshake = make();
        handshake->begin();
        takeSaid(*handshake);
        handshake->receive(challenge + fields);
        REQUIRE(handshake->state() == State::Again);
        handshake->begin();
        CHECK(takeSaid(*handshake).find(basic) != std::string::npos);
        handshake->receive(established);
        CHECK(handshake->state() == State::Stands);
    }
    auto old = make();
    CHECK(talk(*old, {"HTTP/1.0" + challenge.substr(8) + "Content-Length: 0\r\n\r\n"}, 1, 1).said[1].find(basic) !=
          std::string::npos);
}

TEST_CASE("HTTP: a connection that was to last and is closed all the same") {
    for (const std::string body : {"", "bo", "body"}) {
        auto handshake = maker("host.example", "Aladdin", "open sesame")();
        handshake->begin();
        takeSaid(*handshake);
        handshake->receive(challenge + "Content-Length: 4\r\n\r\n" + body);
        takeSaid(*handshake);
        handshake->ended();
        REQUIRE(handshake->state() == State::Again);
        handshake->begin();
        CHECK(takeSaid(*handshake).find(basic) != std::string::npos);
        handshake->ended(); // once, and not for ever
        CHECK(handshake->failure().error == SocketError::ProxyConnectionClosed);
    }
}

TEST_CASE("HTTP: a proxy that wants other authentication") {
    const auto make = maker("host.example", "Aladdin", "open sesame");
    const std::string end = "Content-Length: 0\r\n\r\n";
    CHECK(conclude(make, {challenge + end, challenge + end}).error == SocketError::ProxyAuthenticationRequired);
    CHECK(conclude(maker(), {challenge + end}).error == SocketError::ProxyAuthenticationRequired);
    const std::string status = "HTTP/1.1 407 No\r\n";
    for (const std::string other :
         {"", "Proxy-Authenticate: Negotiate\r\n", "Proxy-Authenticate: Digest realm=\"a, Basic b\"\r\n",
          "Proxy-Authenticate: Digest realm=\"\\\", Basic\"\r\n", "Proxy-Authenticate: Basically\r\n",
          "WWW-Authenticate: Basic\r\n"}) {
        const Talk all = conclude(make, {status + other + end});
        CHECK(all.error == SocketError::ProxyAuthenticationRequired);
        CHECK(all.said[1].empty());
    }
    for (const std::string offers : {"Proxy-Authenticate: Negotiate, basic realm=\"a\"\r\n",
                                     "Proxy-Authenticate: NTLM\r\nproxy-authenticate:\tBASIC\r\n",
                                     "Proxy-Authenticate: Digest realm=\"a\", nonce=b, Basic\r\n"})
        CHECK(conclude(make, {status + offers + end}).said[1].find(basic) != std::string::npos);
}

TEST_CASE("HTTP: each status has its error") {
    struct {
        int status;
        SocketError error;
    } const all[] = {{401, SocketError::ProxyAuthenticationRequired},
                     {403, SocketError::SocketAccess},
                     {405, SocketError::SocketAccess},
                     {404, SocketError::HostNotFound},
                     {503, SocketError::ConnectionRefused},
                     {502, SocketError::ProxyProtocol},
                     {301, SocketError::ProxyProtocol},
                     {400, SocketError::ProxyProtocol},
                     {999, SocketError::ProxyProtocol}};
    for (const auto& each : all) {
        const Talk talk = conclude(maker(), {"HTTP/1.1 " + std::to_string(each.status) + " \x1b[31mgaudy\r\n\r\n"});
        CHECK(talk.error == each.error);
        CHECK(talk.reason.find("status " + std::to_string(each.status)) != std::string::npos);
        CHECK(talk.reason.find("gaudy") == std::string::npos); // whatever it may say there
    }
}

TEST_CASE("HTTP: what is not HTTP is an error, from the first byte on that shows it") {
    for (const std::string each :
         {"x", "SSH-2.0-OpenSSH", "HTTP/2 200\r\n", "\r\n", "HTTP/1.1200\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000\r\n",
          "HTTP/1.1 200OK\r\n", "HTTP/1.x 200 OK\r\n", "HTTP/1.1 020 \r\n", "HTTP/1.1 200 OK\r\nno field\r\n",
          "HTTP/1.1 200 OK\r\n: none\r\n"})
        CHECK(conclude(maker(), {each}).error == SocketError::ProxyProtocol);
    CHECK(conclude(maker(), {std::string("\0", 1)}).error == SocketError::ProxyProtocol);
}

TEST_CASE("HTTP: an answer without an end is not read for ever") {
    auto longLine = maker()();
    longLine->begin();
    takeSaid(*longLine);
    longLine->receive("HTTP/1.1 200 " + std::string(HttpConnectHandshake::longestLine, 'x'));
    CHECK(longLine->failure().error == SocketError::ProxyProtocol);
    auto handshake = maker()();
    handshake->begin();
    takeSaid(*handshake);
    std::size_t taken = handshake->receive("HTTP/1.1 200 OK\r\n");
    while (handshake->state() == State::Talking)
        taken += handshake->receive("X: y\r\n");
    CHECK(handshake->failure().error == SocketError::ProxyProtocol);
    CHECK(taken <= HttpConnectHandshake::longestHead + 10);
    auto provisional = maker()();
    provisional->begin();
    takeSaid(*provisional);
    for (taken = 0; provisional->state() == State::Talking;)
        taken += provisional->receive("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(taken <= HttpConnectHandshake::longestHead + 30);
}

TEST_CASE("HTTP: a proxy that says more than it was asked") {
    auto handshake = maker("host.example", "user", "secret")();
    handshake->begin();
    takeSaid(*handshake);
    handshake->receive(challenge + "Content-Length: 0\r\n\r\n" + established);
    CHECK(handshake->failure().error == SocketError::ProxyProtocol);
}
