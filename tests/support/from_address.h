#pragma once

#include <plain_socket.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>

namespace halyard::test {

/// A connection to a server at loopback from 127.0.0.`last`: all of 127.0.0.0/8 is this host, as several peers. A
/// server that turns it away may have reset it by then.
inline PlainSocket connectedFrom(std::uint8_t last, std::uint16_t port) {
    PlainSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in own = PlainSocket::loopback(0);
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1U + last);
    const sockaddr_in name = PlainSocket::loopback(port);
    if (::bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        (::connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 &&
         errno != ECONNRESET))
        throw std::runtime_error("the test's client cannot connect");
    return socket;
}

} // namespace halyard::test
