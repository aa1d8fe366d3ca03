#include "conversation.h"

#include "session.h"

#include <halyard/net/local_socket.h>
#include <halyard/net/tcp_socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace soak {

using namespace std::chrono_literals;
using halyard::HostAddress;
using halyard::LocalSocket;
using halyard::NetworkProxy;
using halyard::SocketError;
using halyard::SocketOption;
using halyard::SocketState;
using halyard::TcpSocket;
using halyard::Timer;

namespace {

constexpr std::array ways{"by TCP", "to the pool", "by a local socket", "by SOCKS5", "by HTTP CONNECT"};
constexpr std::array endings{"answered", "ended by the server", "half closed", "left", "reset", "dropped"};

constexpr std::size_t slowBuffer = 4 * 1024;
constexpr std::size_t mostQueued = 64 * 1024;
constexpr std::size_t largestWrite = 8 * 1024;

std::size_t sizeBy(Dice& dice, bool isSlow) {
    if (isSlow)
        return dice.between(64 * 1024, 512 * 1024);
    return dice.oneIn(8) ? dice.between(16 * 1024, 256 * 1024) : dice.between(1, 2 * 1024);
}

} // namespace

Conversation::Conversation(Dice dice, const Service& service, Ledger& ledger)
    : Visit(ledger),
      dice_(dice),
      service_(service),
      way_(static_cast<Way>(dice_.below(ways.size()))),
      ending_(static_cast<Ending>(dice_.below(endings.size()))),
      isSlow_(dice_.oneIn(16)),
      total_(sizeBy(dice_, isSlow_)),
      breakAt_(dice_.below(2 * total_)),
      key_(dice_.number()),
      sent_(key_),
      received_(key_) {}

void Conversation::begin() {
    ledger().count(ways.at(static_cast<std::size_t>(way_)));
    ledger().count(endings.at(static_cast<std::size_t>(ending_)));
    ledger().count(isSlow_ ? "slow readers" : "prompt readers");
    auto* const tcp = way_ == Way::Local ? nullptr : new TcpSocket(this);
    auto* const local = way_ == Way::Local ? new LocalSocket(this) : nullptr;
    socket_ = tcp != nullptr ? static_cast<halyard::StreamSocket*>(tcp) : local;
    socket_->setAllowHalfOpen(ending_ == Ending::HalfClosed);
    socket_->connected.connect(this, [this] {
        const Opening opening{key_, total_,
                              (isEchoed() ? Opening::Echo : 0U) |
                                  (ending_ == Ending::ServerEnds ? Opening::ServerEnds : 0U) |
                                  (mustBeWhole() ? Opening::AllWillCome : 0U)};
        socket_->write(std::string_view(reinterpret_cast<const char*>(&opening), sizeof opening));
        send();
    });
    socket_->bytesWritten.connect(this, &Conversation::send);
    socket_->readyRead.connect(this, &Conversation::receive);
    socket_->disconnected.connect(this, &Conversation::connectionEnded);
    socket_->errorOccurred.connect(this, &Conversation::failed);
    if (isSlow_) {
        socket_->setReadBufferSize(slowBuffer);
        if (tcp != nullptr)
            tcp->setSocketOption(SocketOption::ReceiveBufferSize, static_cast<int>(slowBuffer));
        pace_ = new Timer(this);
        pace_->timeout.connect(this, &Conversation::readSlowly);
        pace_->start(1ms);
    }
    if (way_ == Way::Socks)
        tcp->setProxy(service_.socksProxy());
    if (way_ == Way::Http)
        tcp->setProxy(service_.httpProxy());
    if (local != nullptr)
        local->connectToServer(service_.localName());
    else
        tcp->connectToHost(HostAddress::LocalHost, way_ == Way::Pooled ? service_.pooledPort() : service_.tcpPort());
}

void Conversation::send() {
    if (socket_ == nullptr || socket_->state() != SocketState::Connected)
        return;
    while (sent_.position() != total_ && socket_->bytesToWrite() < mostQueued) {
        const std::size_t left = total_ - static_cast<std::size_t>(sent_.position());
        std::string piece = sent_.next(std::min(left, dice_.between(1, largestWrite)));
        if (dice_.oneIn(2))
            socket_->write(std::move(piece));
        else
            socket_->write(std::string_view(piece));
        if (breakOff())
            return;
    }
    if (sent_.position() != total_)
        return;
    if (ending_ == Ending::HalfClosed)
        socket_->shutdownWrite();
    else if (ending_ == Ending::Left)
        leave();
}

void Conversation::receive() {
    if (!isSlow_)
        take(total_);
}

void Conversation::readSlowly() {
    take(dice_.between(1, slowBuffer));
    if (isOver_ && (socket_ == nullptr || socket_->atEnd()))
        judge();
}

void Conversation::take(std::size_t most) {
    if (socket_ == nullptr || socket_->atEnd())
        return;
    const std::string bytes = socket_->read(most);
    if (received_.position() + bytes.size() > total_ || !received_.expects(bytes)) {
        complain("got back other bytes than it sent, or more");
        leave();
        return;
    }
    ledger().bytesReturned += bytes.size();
    if (!breakOff() && ending_ == Ending::Answered && received_.position() == total_)
        socket_->disconnectFromHost();
}

/// Whether it has, for it was time.
bool Conversation::breakOff() {
    if (mustBeWhole() || sent_.position() + received_.position() < breakAt_)
        return false;
    if (ending_ == Ending::Reset)
        socket_->abort();
    else
        leave();
    return true;
}

/// Without its socket, the end of which nobody will tell.
void Conversation::leave() {
    if (std::exchange(isOver_, true))
        return;
    halyard::StreamSocket* const socket = std::exchange(socket_, nullptr);
    socket->disconnected.disconnect(this);
    if (dice_.oneIn(2))
        delete socket;
    else
        socket->deleteLater();
    judge();
}

void Conversation::connectionEnded() {
    isOver_ = true;
    if (!isSlow_ || socket_->atEnd())
        judge();
}

void Conversation::failed() {
    const bool isEnd = socket_->error() == SocketError::RemoteHostClosed;
    if (socket_->state() == SocketState::Unconnected) {
        complain("could not connect");
        isOver_ = true;
        judge();
    } else if (!isEnd && mustBeWhole()) {
        complain("broke");
    }
}

void Conversation::judge() {
    delete std::exchange(pace_, nullptr);
    if (mustBeWhole() && isEchoed() && received_.position() != total_)
        complain("ended before all had come back");
    end();
}

void Conversation::complain(const std::string& what) {
    ledger().wrong(std::string("a conversation ") + ways.at(static_cast<std::size_t>(way_)) + ", to be " +
                   endings.at(static_cast<std::size_t>(ending_)) + (isSlow_ ? " (slow), " : ", ") + what + ": sent " +
                   std::to_string(sent_.position()) + ", got back " + std::to_string(received_.position()) + " of " +
                   std::to_string(total_) + (socket_ != nullptr ? "; " + socket_->errorString() : ""));
}

} // namespace soak
