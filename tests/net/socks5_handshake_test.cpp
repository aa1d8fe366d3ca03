#include "proxy_words.h"
#include "socks5_handshake.h"

#include <doctest/doctest.h>

#include <memory>

using namespace halyard;
using namespace halyard::test;
using State = ProxyHandshake::State;
using Command = Socks5Handshake::Command;

namespace {

auto maker(std::string host, std::string user = {}, std::string password = {}, Command command = Command::Connect) {
    return [=] { return std::make_unique<Socks5Handshake>(command, host, std::uint16_t{0x1234}, user, password); };
}

template <class Make>
Talk conclude(Make make, const std::vector<std::string>& answers) {
    CHECK(isTheSameInPieces(make, answers));
    auto handshake = make();
    return talk(*handshake, answers, 100000, 100000);
}

const std::string noMethod = bytes(5, 0xff);
const std::string noAuthentication = bytes(5, 0);
const std::string userAndPassword = bytes(5, 2);
const std::string well = bytes(5, 0, 0, 1, 192, 0, 2, 1, 0, 80);

} // namespace

TEST_CASE("SOCKS: an IPv4 address is asked for as one, and who it is comes back") {
    const Talk all = conclude(maker("192.0.2.7"), {noAuthentication, well});
    CHECK(all.said == std::vector<std::string>{bytes(5, 1, 0), bytes(5, 1, 0, 1, 192, 0, 2, 7, 0x12, 0x34), ""});
    CHECK(all.state == State::Stands);
    CHECK(all.address == Endpoint{HostAddress("192.0.2.1"), 80});
    CHECK(all.left.empty());
}

TEST_CASE("SOCKS: a mapped address is the IPv4 one, another one is of IPv6") {
    CHECK(conclude(maker("::ffff:192.0.2.7"), {noAuthentication, well}).said[1] ==
          bytes(5, 1, 0, 1, 192, 0, 2, 7, 0x12, 0x34));
    const Talk six = conclude(maker("2001:db8::7"),
                              {noAuthentication, bytes(5, 0, 0, 4) + std::string(15, '\0') + bytes(1, 0x30, 0x39)});
    CHECK(six.said[1] == bytes(5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8) + std::string(11, '\0') + bytes(7, 0x12, 0x34));
    CHECK(six.address == Endpoint{HostAddress::LocalHostIPv6, 12345});
}

TEST_CASE("SOCKS: a name is sent as it is, and one that comes back is read over") {
    const Talk all = conclude(maker("host.example"), {noAuthentication, bytes(5, 0, 0, 3, 5) + "where" + bytes(0, 80)});
    CHECK(all.said[1] == bytes(5, 1, 0, 3, 12) + "host.example" + bytes(0x12, 0x34));
    CHECK(all.state == State::Stands);
    CHECK(all.address == Endpoint{HostAddress(), 80});
    CHECK(conclude(maker("host.example"), {noAuthentication, bytes(5, 0, 0, 3, 0, 0, 80)}).state == State::Stands);
    CHECK(conclude(maker("host.example"), {noAuthentication, bytes(5, 0, 0, 3, 9) + "192.0.2.9" + bytes(0, 80)})
              .address == Endpoint{HostAddress("192.0.2.9"), 80});
}

TEST_CASE("SOCKS: what comes behind the reply is the peer's") {
    CHECK(conclude(maker("192.0.2.7"), {noAuthentication, well + "SSH-2.0"}).left == "SSH-2.0");
}

TEST_CASE("SOCKS: user name and password go to a proxy that asks for them") {
    const auto make = maker("192.0.2.7", "us:er", std::string("p\0ss", 4));
    const Talk all = conclude(make, {userAndPassword, bytes(1, 0), well});
    CHECK(all.said[0] == bytes(5, 2, 0, 2));
    CHECK(all.said[1] == bytes(1, 5) + "us:er" + bytes(4) + std::string("p\0ss", 4));
    CHECK(all.state == State::Stands);
    CHECK(conclude(make, {noAuthentication, well}).said[1].front() == 5); // it does not want them
    const std::string longest(255, 'x');
    CHECK(conclude(maker("a", longest, longest), {userAndPassword, bytes(1, 0), well}).said[1].size() == 513);
}

TEST_CASE("SOCKS: a proxy that wants other authentication") {
    for (const auto& make : {maker("192.0.2.7"), maker("192.0.2.7", "user", "password")}) {
        const Talk all = conclude(make, {noMethod});
        CHECK(all.error == SocketError::ProxyAuthenticationRequired);
        CHECK(all.reason.find("password1") == std::string::npos);
    }
    const Talk rejected = conclude(maker("192.0.2.7", "user", "secret"), {userAndPassword, bytes(1, 1)});
    CHECK(rejected.error == SocketError::ProxyAuthenticationRequired);
    CHECK(rejected.reason.find("secret") == std::string::npos);
}

TEST_CASE("SOCKS: each reply has its error, which is told without the rest of it") {
    const std::vector<SocketError> expected{SocketError::Network,
                                            SocketError::SocketAccess,
                                            SocketError::Network,
                                            SocketError::HostNotFound,
                                            SocketError::ConnectionRefused,
                                            SocketError::Network,
                                            SocketError::UnsupportedSocketOperation,
                                            SocketError::UnsupportedSocketOperation,
                                            SocketError::Unknown};
    for (std::size_t reply = 1; reply <= expected.size(); ++reply) {
        const Talk all = conclude(maker("host.example"), {noAuthentication, bytes(5, reply)});
        CHECK(all.state == State::Failed);
        CHECK(all.error == expected[reply - 1]);
        CHECK_FALSE(all.reason.empty());
    }
    CHECK(conclude(maker("host.example"), {noAuthentication, bytes(5, 0xff)}).error == SocketError::Unknown);
}

TEST_CASE("SOCKS: what is not SOCKS is an error, from the first byte on that shows it") {
    using Answers = std::vector<std::string>;
    for (const Answers& each : {Answers{"HTTP/1.1 400 Bad request\r\n"}, Answers{"\x04"}, Answers{bytes(5, 1)},
                                Answers{bytes(5, 2)}, Answers{bytes(5, 3)}, Answers{noAuthentication, bytes(4, 0)},
                                Answers{noAuthentication, bytes(5, 0, 0, 2) + bytes(0)},
                                Answers{noAuthentication, bytes(5, 0, 0, 0) + bytes(0)}})
        CHECK(conclude(maker("host.example"), each).error == SocketError::ProxyProtocol);
    CHECK(conclude(maker("a", "user", "password"), {userAndPassword, bytes(5, 0)}).error == SocketError::ProxyProtocol);
}

TEST_CASE("SOCKS: a proxy that says more than it was asked") {
    auto handshake = maker("host.example")();
    handshake->begin();
    takeSaid(*handshake);
    handshake->receive(noAuthentication + well); // before it was asked for anything
    CHECK(handshake->state() == State::Failed);
    CHECK(handshake->failure().error == SocketError::ProxyProtocol);
}

TEST_CASE("SOCKS: a proxy that closes in the middle") {
    for (std::size_t after = 0; after <= 2; ++after) {
        auto handshake = maker("host.example", "user", "password")();
        handshake->begin();
        takeSaid(*handshake);
        handshake->receive(userAndPassword.substr(0, after));
        takeSaid(*handshake);
        handshake->ended();
        CHECK(handshake->failure().error == SocketError::ProxyConnectionClosed);
    }
}

TEST_CASE("SOCKS: a BIND is answered twice, and what comes behind that is the client's") {
    const std::string second = bytes(5, 0, 0, 1, 198, 51, 100, 7, 0x30, 0x39);
    for (std::size_t cut = 1; cut <= well.size() + second.size(); ++cut) {
        auto handshake = maker("0.0.0.0", "", "", Command::Bind)();
        handshake->begin();
        takeSaid(*handshake);
        CHECK(handshake->receive(noAuthentication) == 2);
        CHECK(takeSaid(*handshake) == bytes(5, 2, 0, 1, 0, 0, 0, 0, 0x12, 0x34));
        std::string stream = well + second + "data";
        std::size_t seen = cut;
        while (handshake->state() == State::Talking) {
            stream.erase(0, handshake->receive(std::string_view(stream).substr(0, seen)));
            seen = std::string::npos;
        }
        CHECK(handshake->state() == State::Bound);
        CHECK(handshake->address() == Endpoint{HostAddress("192.0.2.1"), 80});
        while (handshake->state() != State::Stands)
            stream.erase(0, handshake->receive(std::string_view(stream).substr(0, 3)));
        CHECK(handshake->address() == Endpoint{HostAddress("198.51.100.7"), 12345});
        CHECK(stream == "data");
    }
    const Talk late = conclude(maker("0.0.0.0", "", "", Command::Bind), {noAuthentication, well, bytes(5, 6)});
    CHECK(late.error == SocketError::Network);
}
