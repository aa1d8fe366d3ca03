#include "proxy.h"

#include <halyard/net/forwarder.h>
#include <halyard/net/tcp_socket.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace soak {

using halyard::Endpoint;
using halyard::Forwarder;
using halyard::HostAddress;
using halyard::NetworkProxy;
using halyard::TcpSocket;

namespace {

constexpr std::string_view granted("\x05\0\0\x01\0\0\0\0\0\0", 10);
constexpr std::string_view established = "HTTP/1.1 200 Connection established\r\n\r\n";

/// Answers when the connection stands; from then on both are one.
void tunnel(TcpSocket& client, const Endpoint& target, std::string_view answer) {
    client.readyRead.disconnectAll();
    auto* const upstream = new TcpSocket(&client);
    upstream->connected.connect(&client, [&client, upstream, answer] {
        upstream->connected.disconnectAll();
        client.disconnected.disconnectAll();
        client.write(answer);
        auto* const forwarder = new Forwarder(client, *upstream, &client);
        forwarder->finished.connect(&client, &TcpSocket::deleteLater);
    });
    upstream->errorOccurred.connect(&client, &TcpSocket::abort);
    upstream->connectToHost(target.address, target.port);
}

} // namespace

Proxy::Proxy(NetworkProxy::Type type) : type_(type) { newConnection.connect(this, &Proxy::accept); }

void Proxy::accept() {
    while (TcpSocket* const client = nextPendingConnection()) {
        client->readyRead.connect(client, [this, client] { hear(*client); });
        client->disconnected.connect(client, &TcpSocket::deleteLater);
    }
}

void Proxy::hear(TcpSocket& client) const {
    if (type_ == NetworkProxy::Socks5)
        hearSocks(client);
    else
        hearHttp(client);
}

/// The visits say where to in no other way than this: one method, then an IPv4 address.
void Proxy::hearSocks(TcpSocket& client) const {
    constexpr std::size_t greeting = 3;
    constexpr std::size_t request = 10;
    const std::string_view heard = client.peek();
    if (heard.size() == greeting) {
        client.skip(greeting);
        client.write(std::string_view("\x05\0", 2));
    } else if (heard.size() == request) {
        const auto byte = [heard](std::size_t at) {
            return static_cast<std::uint32_t>(static_cast<unsigned char>(heard[at]));
        };
        const Endpoint target{HostAddress(byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7)),
                              static_cast<std::uint16_t>(byte(8) << 8 | byte(9))};
        client.skip(request);
        tunnel(client, target, granted);
    }
}

void Proxy::hearHttp(TcpSocket& client) const {
    const auto end = client.indexOf("\r\n\r\n");
    if (!end)
        return;
    const std::string request = client.read(*end + 4);
    constexpr std::string_view verb = "CONNECT ";
    const auto target =
        halyard::parseEndpoint(request.substr(verb.size(), request.find(' ', verb.size()) - verb.size()));
    if (target)
        tunnel(client, *target, established);
    else
        client.abort();
}

} // namespace soak
