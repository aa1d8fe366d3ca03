#include "socket_trace.h"
#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <utility>

#include <netinet/ip.h>
#include <netinet/tcp.h>

using namespace halyard;
using namespace halyard::test;

namespace {

constexpr std::array<std::pair<SocketOption, int>, 8> someValues{{
    {SocketOption::LowDelay, 1},
    {SocketOption::KeepAlive, 1},
    {SocketOption::KeepAliveIdle, 71},
    {SocketOption::KeepAliveInterval, 17},
    {SocketOption::KeepAliveCount, 5},
    {SocketOption::UserTimeout, 13},
    {SocketOption::Linger, 2},
    {SocketOption::TypeOfService, 0x20},
}};

int valueAt(int descriptor, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(descriptor, level, name, &value, &size);
    return value;
}

} // namespace

TEST_CASE("options that are set before there is a descriptor are kept, and hold for every connection") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    CHECK_FALSE(socket.socketOption(SocketOption::LowDelay));
    for (const auto& [option, value] : someValues) {
        socket.setSocketOption(option, value);
        CHECK(socket.socketOption(option) == value);
    }
    for (int connection = 0; connection != 2; ++connection) {
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
        for (const auto& [option, value] : someValues)
            CHECK(socket.socketOption(option) == value);
        CHECK(valueAt(socket.socketDescriptor(), IPPROTO_TCP, TCP_NODELAY) != 0);
        CHECK(valueAt(socket.socketDescriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT) == 13'000);
        CHECK(valueAt(socket.socketDescriptor(), IPPROTO_IP, IP_TOS) == 0x20);
        socket.abort();
    }
    CHECK(socket.error() == SocketError::None);
}

TEST_CASE("options that are set later hold at once; buffer sizes are at least what was asked for") {
    TcpPair pair;
    for (const auto& [option, value] : someValues) {
        pair.near->setSocketOption(option, value);
        CHECK(pair.near->socketOption(option) == value);
    }
    for (const SocketOption option : {SocketOption::SendBufferSize, SocketOption::ReceiveBufferSize}) {
        pair.near->setSocketOption(option, 50'000);
        CHECK(pair.near->socketOption(option).value_or(0) >= 50'000);
    }
    CHECK(pair.far->socketOption(SocketOption::Linger) == -1);
    pair.near->setSocketOption(SocketOption::Linger, -1);
    CHECK(pair.near->socketOption(SocketOption::Linger) == -1);
}

TEST_CASE("the type of service is the traffic class where the connection is IPv6") {
    TcpServer server;
    if (!server.listen(HostAddress::LocalHostIPv6))
        return; // a machine without IPv6
    TcpSocket socket;
    socket.setSocketOption(SocketOption::TypeOfService, 0x48);
    socket.connectToHost(HostAddress::LocalHostIPv6, server.serverPort());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    CHECK(socket.socketOption(SocketOption::TypeOfService) == 0x48);
    CHECK(valueAt(socket.socketDescriptor(), IPPROTO_IPV6, IPV6_TCLASS) == 0x48);
}

TEST_CASE("what the system refuses shows in error() and in the log, and the connection goes on") {
    Logged log;
    TcpPair pair;
    pair.near->setSocketOption(SocketOption::KeepAliveIdle, -3);
    CHECK(pair.near->error() == SocketError::UnsupportedSocketOperation);
    CHECK(pair.near->errorString() == "cannot set the option: Invalid argument");
    pair.near->setSocketOption(SocketOption::TypeOfService, 256);
    CHECK(log.linesWith("cannot set the option") == 2);
    pair.near->write("fine");
    CHECK(pumpUntil([&] { return pair.far->bytesAvailable() == 4; }));
}

TEST_CASE("a bound socket has its address, and connects from there") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    SocketTrace trace(socket);
    REQUIRE(socket.bind(HostAddress("127.0.0.3")));
    CHECK(trace.take() == "Bound");
    const std::uint16_t port = socket.localPort();
    CHECK(port != 0);
    CHECK(socket.localAddress() == HostAddress("127.0.0.3"));
    CHECK(socket.peerAddress().isNull());
    CHECK(socket.isValid());
    Logged log;
    CHECK(socket.write("not yet") == -1);
    CHECK_FALSE(socket.waitForReadyRead(10));
    log.lines();
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    CHECK(socket.localAddress() == HostAddress("127.0.0.3"));
    CHECK(socket.localPort() == port);
    sockaddr_in name{};
    socklen_t size = sizeof name;
    const PlainSocket peer(::accept(listener.descriptor(), reinterpret_cast<sockaddr*>(&name), &size));
    CHECK(ntohs(name.sin_port) == port);
    CHECK(name.sin_addr.s_addr == htonl(0x7f000003));
}

TEST_CASE("a bound socket that is given up is unconnected again, and nothing else is told") {
    for (const bool byAbort : {false, true}) {
        TcpSocket socket;
        REQUIRE(socket.bind(HostAddress::LocalHost));
        const SocketTrace trace(socket);
        byAbort ? socket.abort() : socket.disconnectFromHost();
        CHECK(trace.text() == "Unconnected");
        CHECK(socket.localPort() == 0);
    }
}

TEST_CASE("a socket that is bound to every address reaches IPv4 peers too") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    REQUIRE(socket.bind());
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    CHECK(socket.waitForConnected(5000));
}

TEST_CASE("binding that fails tells why, each time anew, and leaves the socket as it was") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    SocketTrace trace(socket);
    CHECK_FALSE(socket.bind(HostAddress::LocalHost, listener.port()));
    CHECK(socket.error() == SocketError::AddressInUse);
    CHECK(socket.errorString() ==
          "cannot bind to 127.0.0.1:" + std::to_string(listener.port()) + ": Address already in use");
    CHECK_FALSE(socket.bind(HostAddress("192.0.2.1")));
    CHECK(socket.error() == SocketError::SocketAddressNotAvailable);
    CHECK(trace.take() == "error(AddressInUse while Unconnected) error(SocketAddressNotAvailable while Unconnected)");
    CHECK(socket.socketDescriptor() == -1);
    CHECK(socket.bind(HostAddress::LocalHost));
    Logged log;
    CHECK_FALSE(socket.bind(HostAddress::LocalHost));
    CHECK(log.lines().size() == 1);
    CHECK(socket.error() == SocketError::Operation);
    CHECK(socket.state() == SocketState::Bound);
}

TEST_CASE("the peer's name is what was asked for, and nothing for a connection that came") {
    TcpPair pair;
    CHECK(pair.near->peerName() == "127.0.0.1");
    CHECK(pair.far->peerName().empty());
    pair.near->abort();
    CHECK(pair.near->peerName() == "127.0.0.1");
}
