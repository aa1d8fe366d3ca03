#pragma once

#include "flow.h"

#include <halyard/net/stream_socket.h>

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace halyard::fuzz {

/// A socket, and all that may be said of it from what it was asked for and what it has emitted.
class WatchedSocket {
  public:
    /// `act` is what the slots of the socket's signals do, which is anything; but what a destructor calls must not
    /// throw.
    WatchedSocket(StreamSocket* socket, Flows& flows, std::function<void(bool mayThrow)> act)
        : socket_(socket), flows_(flows), act_(std::move(act)), state_(socket->state()) {
        watch();
        if (state_ == SocketState::Connected)
            connectionBegins();
    }
    WatchedSocket(const WatchedSocket&) = delete;
    WatchedSocket& operator=(const WatchedSocket&) = delete;
    ~WatchedSocket() { delete socket_.get(); }

    StreamSocket* get() const noexcept { return isDying_ ? nullptr : socket_.get(); }
    bool isGone() const noexcept { return get() == nullptr; }

    /// Before what begins a connection, where it is not refused.
    void connectionBegins() {
        ++connections_;
        out_ = flows_.begin();
        in_ = nullptr;
        written_ = reported_ = announced_ = 0;
        hasConnected_ = isFull_ = hasThrown_ = readIsOver_ = isCareless_ = false;
        if (hasTimeouts_)
            becomeCareless();
    }

    /// Before what ends the connection on this side: what comes from the other may be lost, and for `all` what has been
    /// written too.
    void endsItself(bool all) {
        isCareless_ = true;
        if (in_ != nullptr)
            in_->mayLose = true;
        if (out_ != nullptr) {
            out_->isEnded = true;
            out_->mayLose = out_->mayLose || all;
        }
    }
    void setHasTimeouts() {
        hasTimeouts_ = true;
        becomeCareless();
    }
    /// An exception of a slot has skipped what would have come after it.
    void slotHasThrown() noexcept {
        hasThrown_ = true;
        owed_ = 0;
    }

    /// Whether bytes may be written without being told apart from another connection's.
    bool canWrite() const noexcept { return out_ != nullptr; }

    void write(std::size_t size) {
        const auto out = out_;
        std::string text = out->piece(size);
        const bool before = std::exchange(inWrite_, true);
        const std::ptrdiff_t result = socket_->write(std::move(text));
        inWrite_ = before;
        demand(result == static_cast<std::ptrdiff_t>(size) || result == -1);
        demand(result == -1 || socket_->state() != SocketState::Unconnected);
        demand(result != -1 || socket_->error() == SocketError::Operation ||
               socket_->error() == SocketError::SocketResource);
        if (result != -1) {
            out->written += size;
            written_ += size;
        }
    }

    void sendFile(std::size_t size) {
        if (out_->written == 0)
            write(1);
        const auto place = static_cast<std::int64_t>(out_->placeInPeriod(out_->written));
        if (out_->written != 0 && socket_->sendFile(fileOfFlows(), place, size)) {
            out_->written += size;
            written_ += size;
        }
    }

    void setsWatermarks(std::size_t low, std::size_t high) {
        if (high == 0)
            isFull_ = false;
        socket_->setWriteBufferWatermarks(low, high);
    }

    void flushes() {
        const std::size_t before = reported_;
        const int connection = connections_;
        const Pointer<StreamSocket> self = socket_;
        const bool is = socket_->flush();
        demand(!is || !self || connections_ != connection || reported_ != before || state_ != SocketState::Connected);
    }

    /// These bytes were read from the socket.
    void took(std::string_view bytes) {
        if (bytes.empty())
            return;
        meetWriter(bytes.front());
        in_->take(bytes);
    }

    void readAll() { took(socket_->readAll()); }

    /// What holds between any two calls of a program.
    void check() {
        StreamSocket* const socket = get();
        if (socket == nullptr)
            return;
        demand(socket->state() == state_);
        demand((state_ == SocketState::Unconnected) == (socket->socketDescriptor() < 0) ||
               state_ == SocketState::HostLookup || state_ == SocketState::Connecting);
        demand(socket->atEnd() == (socket->bytesAvailable() == 0));
        demand(socket->peek().empty() == socket->atEnd());
        demand(socket->bytesToWrite() + reported_ <= written_);
        demand(socket->error() == SocketError::None || !socket->errorString().empty());
        demand(inSlots_ != 0 || owed_ <= 0);
        if (inSlots_ == 0)
            readEndsOwed_ = 0; // which no attempt to connect emits that has failed
        if (socket->bytesAvailable() != 0)
            meetWriter(socket->peek().front());
        demand(in_ == nullptr || in_->read + socket->bytesAvailable() <= in_->written);
    }

    /// What holds when both sides have had the time to do all they can.
    bool isSettled() const {
        return isGone() || in_ == nullptr || mayMiss() || isCareless_ || in_->read == in_->written;
    }
    /// Somebody has said how long its end may take, which may be for ever.
    bool mayStay() const noexcept { return hasTimeouts_; }
    bool isUnread() const { return !isGone() && socket_->bytesAvailable() != 0; }

  private:
    /// What is checked of a signal, and then whatever a slot may do.
    template <class Check>
    void slot(Check check) {
        check();
        const Inside slot(inSlots_);
        act_(true);
    }

    void watch() {
        StreamSocket& socket = *socket_;
        socket.stateChanged.connect([this](SocketState state) { slot([&] { stateHasChanged(state); }); });
        socket.connected.connect([this] {
            slot([&] {
                demand(state_ == SocketState::Connected && !hasConnected_);
                hasConnected_ = true;
            });
        });
        socket.readyRead.connect([this] {
            demand(!std::exchange(inReadyRead_, true));
            const InReadyRead scope(*this);
            slot([&] { bytesHaveCome(); });
        });
        socket.bytesWritten.connect([this](std::int64_t size) { slot([&] { bytesHaveLeft(size); }); });
        socket.writeBufferFull.connect([this] { slot([&] { demand(!inWrite_ && !std::exchange(isFull_, true)); }); });
        socket.writeBufferDrained.connect(
            [this] { slot([&] { demand(!inWrite_ && std::exchange(isFull_, false)); }); });
        socket.errorOccurred.connect([this](SocketError error) {
            slot([&] {
                demand(!inWrite_ && error != SocketError::None && socket_->error() == error);
                demand(!socket_->errorString().empty());
            });
        });
        socket.readChannelFinished.connect([this] { slot([&] { readingIsOver(); }); });
        socket.disconnected.connect([this] { slot([&] { demand(owed_-- > 0 || hasThrown_); }); });
        socket.destroyed.connect([this] {
            isDying_ = true;
            act_(false);
        });
    }

    struct InReadyRead {
        explicit InReadyRead(WatchedSocket& socket) noexcept : self(socket) {}
        InReadyRead(const InReadyRead&) = delete;
        InReadyRead& operator=(const InReadyRead&) = delete;
        ~InReadyRead() { self.inReadyRead_ = false; }
        WatchedSocket& self;
    };

    static bool mayFollow(SocketState before, SocketState after) noexcept {
        using enum SocketState;
        switch (after) {
        case Unconnected:
            return true;
        case HostLookup:
        case Bound:
            return before == Unconnected || (before == Bound && after == HostLookup);
        case Connecting:
            return before == Unconnected || before == HostLookup;
        case Connected:
            return before == Unconnected || before == Connecting;
        case Closing:
            return before == Connected;
        case Listening:
            return false;
        }
        return false;
    }

    void stateHasChanged(SocketState state) {
        const SocketState before = std::exchange(state_, state);
        demand(!inWrite_ && state == socket_->state() && state != before && mayFollow(before, state));
        if (state == SocketState::Unconnected) {
            readEndsOwed_ += readIsOver_ ? 0 : 1;
            ended_ = connections_;
            owed_ += before == SocketState::Connected || before == SocketState::Closing ? 1 : 0;
            demand(hasThrown_ || socket_->hasLostOutput() || reported_ == written_);
            demand(socket_->bytesToWrite() == 0);
            if (socket_->hasLostOutput() && out_ != nullptr)
                out_->mayLose = true;
        }
    }

    void bytesHaveLeft(std::int64_t size) {
        demand(size > 0 && !inWrite_ && !isOver());
        reported_ += static_cast<std::size_t>(size);
        demand(reported_ <= written_);
    }

    void bytesHaveCome() {
        demand(!inWrite_ && !isOver() && socket_->bytesAvailable() != 0);
        meetWriter(socket_->peek().front());
        const std::size_t received = in_->read + socket_->bytesAvailable();
        demand(received > announced_);
        announced_ = received;
    }

    /// The other side has ended its sending, or this one the connection: in the first case nothing is missing.
    void readingIsOver() {
        if (readEndsOwed_ != 0 && readEndsOwed_-- != 0 && (ended_ != connections_ || readIsOver_))
            return; // a slot of stateChanged has begun another connection before this one had its last signals
        demand(!inWrite_ && !std::exchange(readIsOver_, true));
        if (isCareless_)
            return;
        if (in_ == nullptr && socket_->bytesAvailable() != 0)
            meetWriter(socket_->peek().front());
        demand(in_ == nullptr || mayMiss() || in_->read + socket_->bytesAvailable() == in_->written);
    }

    /// Not all that was written to it need come.
    bool mayMiss() const noexcept { return in_->mayLose || (in_->isEnded && written_ != 0); }

    void meetWriter(char first) {
        if (in_ == nullptr)
            in_ = flows_.beginningWith(first);
        in_->mayLose = in_->mayLose || isCareless_;
    }

    /// The connection has ended, and none has begun since.
    bool isOver() const noexcept { return state_ == SocketState::Unconnected && ended_ == connections_; }

    void becomeCareless() { endsItself(true); }

    Pointer<StreamSocket> socket_;
    Flows& flows_;
    std::function<void(bool mayThrow)> act_;
    SocketState state_;
    std::shared_ptr<Flow> out_;
    std::shared_ptr<Flow> in_; ///< null until its first byte has come
    std::size_t written_ = 0;
    std::size_t reported_ = 0;
    std::size_t announced_ = 0; ///< so many had come when readyRead was emitted last
    int connections_ = 0;
    int ended_ = 0; ///< the one that ended last
    int inSlots_ = 0;
    bool inWrite_ = false;
    bool inReadyRead_ = false;
    bool isDying_ = false;
    bool hasConnected_ = false;
    bool isFull_ = false;
    bool hasThrown_ = false;
    bool hasTimeouts_ = false;
    bool isCareless_ = false; ///< it has ended the connection itself, or throws bytes away
    bool readIsOver_ = false;
    int owed_ = 0; ///< signals `disconnected`: more than one where slots begin new connections before it has come
    int readEndsOwed_ = 0; ///< the same of readChannelFinished, at most
};

} // namespace halyard::fuzz
