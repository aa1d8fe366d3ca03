// A client that connects by a proxy, which echoes what it is sent, and every call that the client makes fails once, in
// every way. The proxy is on other threads, where nothing fails.
#include "../net/scripted_proxy.h"
#include "fault_scenario.h"

#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

const int msec = static_cast<int>(patience().count());

void echo(PlainSocket& client) {
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::recv(client.descriptor(), buffer, sizeof buffer, 0);
        if (got <= 0)
            return;
        client.send({buffer, static_cast<std::size_t>(got)});
    }
}

ScriptedProxy::Script socks() {
    return [](PlainSocket& client) {
        if (socksRequest(client).size() < 10)
            return;
        client.send(socksReply());
        echo(client);
    };
}

ScriptedProxy::Script http() {
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
        return inTime([this] {
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

} // namespace

TEST_CASE("whatever call on the way by a proxy fails: it is repeated or told, and no byte is lost or there twice") {
    const std::string message = pattern(40'000);
    std::uint64_t faults = 0;
    for (const bool isSocks : {true, false}) {
        for (const bool waits : {false, true}) {
            CAPTURE(isSocks);
            CAPTURE(waits);
            const auto converse = [&](const std::string& text) {
                std::optional<ScriptedProxy> proxy;
                {
                    const NoFaults own;
                    proxy.emplace(std::vector{isSocks ? socks() : http()});
                }
                Client client(isSocks ? proxy->socks() : proxy->http(), text);
                return waits ? client.byWaits() : client.byLoop();
            };
            converse(message).check(message);
            for (const Call call :
                 {Call::Socket, Call::Connect, Call::GetSockOpt, Call::GetPeerName, Call::Recv, Call::Send, Call::Poll})
                faults += tryAll(call, message, converse);
        }
    }
    MESSAGE("connections by proxies have survived ", faults, " faults");
}
