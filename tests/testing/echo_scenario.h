#pragma once

#include "fault_scenario.h"

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <memory>
#include <string>

namespace halyard::test {

/// The server's side of a conversation.
class Echo : public Object {
  public:
    explicit Echo(Outcome& outcome) : outcome_(outcome) {
        server.acceptError.connect([this](SocketError error) {
            outcome_.note(error);
            server.resumeAccepting();
        });
        server.newConnection.connect([this] { take(); });
    }

    bool hasEnded() const { return served == nullptr || served->state() == SocketState::Unconnected; }

    TcpServer server;
    std::unique_ptr<TcpSocket> served;

  private:
    void take() {
        TcpSocket* const next = server.nextPendingConnection();
        if (next == nullptr)
            return;
        next->setParent(nullptr);
        served.reset(next);
        next->readyRead.connect([this] {
            const std::string data = served->readAll();
            outcome_.received += data;
            served->write(data);
        });
        next->errorOccurred.connect([this](SocketError error) {
            if (error != SocketError::RemoteHostClosed)
                outcome_.note(error);
        });
    }

    Outcome& outcome_;
};

/// A client sends the message, and ends when it is back.
inline Outcome converse(const std::string& message) {
    Outcome outcome;
    Echo echo(outcome);
    TcpSocket client;
    client.connected.connect([&] { client.write(message); });
    client.readyRead.connect([&] {
        outcome.echoed += client.readAll();
        if (outcome.echoed.size() >= message.size())
            client.disconnectFromHost();
    });
    client.errorOccurred.connect([&](SocketError error) { outcome.note(error); });
    if (!echo.server.listen(HostAddress::LocalHost)) {
        outcome.note(echo.server.serverError());
        outcome.ended = true;
        return outcome;
    }
    client.connectToHost(HostAddress::LocalHost, echo.server.serverPort());
    outcome.ended = pumpUntil([&] { return client.state() == SocketState::Unconnected && echo.hasEnded(); });
    return outcome;
}

} // namespace halyard::test
