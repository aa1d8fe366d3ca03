#pragma once

#include "fault_scenario.h"

#include <halyard/net/forwarder.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <memory>
#include <optional>
#include <string>

namespace halyard::test {

/// A server that passes each client on to a target, as a proxy does: client <-> inner = outer <-> target.
class Relay : public Object {
  public:
    explicit Relay(Outcome& outcome) : outcome_(outcome) {
        server.newConnection.connect([this] {
            inner_.reset(server.nextPendingConnection());
            watch(*inner_);
            watch(outer_);
            outer_.connectToHost(HostAddress::LocalHost, target.serverPort());
            forwarder_.emplace(*inner_, outer_).finished.connect([this] { isFinished_ = true; });
        });
        target.newConnection.connect([this] {
            far_.reset(target.nextPendingConnection());
            watch(*far_);
            far_->setAllowHalfOpen(true);
            far_->readyRead.connect([this] { outcome_.received += far_->readAll(); });
            far_->readChannelFinished.connect([this] {
                if (far_->state() != SocketState::Connected)
                    return;
                far_->write("all");
                far_->disconnectFromHost();
            });
        });
    }

    bool hasEnded() const { return isFinished_ && (far_ == nullptr || far_->state() == SocketState::Unconnected); }
    void watch(TcpSocket& socket) {
        socket.errorOccurred.connect([this](SocketError error) { outcome_.note(error); });
    }

    TcpServer server;
    TcpServer target;

  private:
    Outcome& outcome_;
    std::unique_ptr<TcpSocket> inner_;
    TcpSocket outer_;
    std::unique_ptr<TcpSocket> far_;
    std::optional<Forwarder> forwarder_;
    bool isFinished_ = false;
};

/// A client sends the message to a target that says so when it has it all, and ends.
inline Outcome converseByRelay(const std::string& message) {
    Outcome outcome;
    Relay relay(outcome);
    TcpSocket client;
    relay.watch(client);
    std::string answer;
    client.setAllowHalfOpen(true);
    client.readyRead.connect([&] { answer += client.readAll(); });
    client.connected.connect([&] {
        client.write(message);
        client.shutdownWrite();
    });
    if (!relay.target.listen(HostAddress::LocalHost) || !relay.server.listen(HostAddress::LocalHost)) {
        outcome.note(SocketError::Unknown);
        outcome.ended = true;
        return outcome;
    }
    client.connectToHost(HostAddress::LocalHost, relay.server.serverPort());
    outcome.ended = pumpUntil([&] { return client.state() == SocketState::Unconnected && relay.hasEnded(); });
    if (answer == "all")
        outcome.echoed = outcome.received;
    return outcome;
}

} // namespace halyard::test
