#pragma once

#include "../net/scripted_proxy.h"
#include "fault_scenario.h"

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <optional>
#include <string>
#include <vector>

namespace halyard::test {

inline void echo(PlainSocket& client) {
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::recv(client.descriptor(), buffer, sizeof buffer, 0);
        if (got <= 0)
            return;
        client.send({buffer, static_cast<std::size_t>(got)});
    }
}

inline ScriptedProxy::Script socks() {
    return [](PlainSocket& client) {
        if (socksRequest(client).size() < 10)
            return;
        client.send(socksReply());
        echo(client);
    };
}

inline ScriptedProxy::Script http() {
    return [](PlainSocket& client) {
        if (!httpRequest(client).ends_with("\r\n\r\n"))
            return;
        client.send("HTTP/1.1 200 OK\r\n\r\n");
        echo(client);
    };
}

/// The client's end of a conversation by such a proxy.
class Client {
  public:
    Client(const NetworkProxy& proxy, const std::string& message) : message_(message) {
        socket.setProxy(proxy);
        socket.connected.connect([this] { socket.write(message_); });
        socket.errorOccurred.connect([this](SocketError error) { outcome.note(error); });
        socket.readyRead.connect([this] {
            outcome.echoed += socket.readAll();
            outcome.received = outcome.echoed;
            if (outcome.echoed.size() >= message_.size())
                socket.disconnectFromHost();
        });
        socket.connectToHost(HostAddress("192.0.2.1"), 80);
    }

    Outcome byLoop() {
        outcome.ended = pumpUntil([this] { return socket.state() == SocketState::Unconnected; });
        return outcome;
    }
    Outcome byWaits() {
        const int msec = static_cast<int>(patience().count());
        return inTime([this, msec] {
            if (socket.waitForConnected(msec))
                while (socket.waitForReadyRead(msec)) {
                }
            return outcome;
        });
    }

    TcpSocket socket;
    Outcome outcome;

  private:
    const std::string& message_;
};

/// A client's conversation by a proxy on other threads, where nothing fails.
inline Outcome converseByProxy(const std::string& message, bool isSocks, bool waits) {
    std::optional<ScriptedProxy> proxy;
    {
        const testing::NoFaults own;
        proxy.emplace(std::vector{isSocks ? socks() : http()});
    }
    Client client(isSocks ? proxy->socks() : proxy->http(), message);
    return waits ? client.byWaits() : client.byLoop();
}

/// A server that listens by a SOCKS proxy, by which a client comes that sends the message, and ends when it is back.
inline Outcome converseBehindProxy(const std::string& message, bool waits) {
    Outcome outcome;
    std::string echoed; // on the proxy's thread
    {
        std::optional<ScriptedProxy> proxy;
        {
            const testing::NoFaults own;
            proxy.emplace(std::vector<ScriptedProxy::Script>{[&](PlainSocket& client) {
                if (socksRequest(client).size() < 10)
                    return;
                client.send(socksReply() + std::string("\x05\x00\x00\x01\xc6\x33\x64\x07\x30\x39", 10) + message);
                echoed = client.receive(message.size());
            }});
        }
        TcpServer server;
        server.setProxy(proxy->socks());
        server.acceptError.connect([&](SocketError error) { outcome.note(error); });
        const int msec = static_cast<int>(patience().count());
        const auto isOver = [&] { return server.hasPendingConnections() || !server.isListening(); };
        if (!server.listen())
            outcome.note(server.serverError());
        else if (waits ? !server.waitForNewConnection(msec) && server.serverError() != SocketError::None
                       : !pumpUntil(isOver))
            outcome.note(server.serverError());
        if (TcpSocket* const client = server.nextPendingConnection()) {
            client->readyRead.connect([&, client] {
                const std::string data = client->readAll();
                outcome.received += data;
                client->write(data);
            });
            client->errorOccurred.connect([&](SocketError error) {
                if (error != SocketError::RemoteHostClosed || client->hasLostOutput() ||
                    outcome.received.size() != message.size())
                    outcome.note(error);
            });
            if (waits)
                outcome.ended = client->waitForDisconnected(msec) || client->error() != SocketError::SocketTimeout;
            else
                outcome.ended = pumpUntil([&] { return client->state() == SocketState::Unconnected; });
        } else {
            outcome.ended = true;
        }
    }
    outcome.echoed = echoed;
    return outcome;
}

} // namespace halyard::test
