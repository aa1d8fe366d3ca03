#include "send.h"

#include "echo_check.h"
#include "exit_code.h"
#include "standard_input.h"
#include "standard_streams.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string_view>

namespace echo {

namespace {

using halyard::EventLoop;
using halyard::SocketState;
using halyard::UnixSignal;

// So much of standard input is on its way at a time: to the peer, or, where it is compared, there and back.
constexpr std::size_t window = 1024 * 1024;

// Input that is silent so long after the peer's end has nothing more to send.
constexpr std::chrono::milliseconds untilIdle(100);

class Sender : public halyard::Object {
  public:
    Sender(EventLoop& loop, const SendOptions& options)
        : loop_(loop), options_(options), socket_(makeSocketFor(options.peer)) {
        socket_->setAllowHalfOpen(true);
        socket_->setConnectTimeout(options.timeout);
        socket_->setReadTimeout(options.timeout);
        socket_->connected.connect(this, &Sender::begin);
        socket_->readyRead.connect(this, &Sender::receive);
        socket_->bytesWritten.connect(this, &Sender::feed);
        socket_->readChannelFinished.connect(this, &Sender::peerEnded);
        socket_->errorOccurred.connect(this, &Sender::breakOff);
        for (UnixSignal* each : {&interrupt_, &terminate_})
            each->received.connect(this, [this] { fail("interrupted" + progress()); });
        startConnecting(*socket_, options.peer);
    }

  private:
    void begin() {
        hasBegun_ = true;
        if (options_.text) {
            transmit(*options_.text);
        } else {
            input_.emplace();
            input_->readable.connect(this, &Sender::feed);
        }
        feed();
    }

    std::size_t onTheWay() const noexcept { return options_.verify ? echo_.onTheWay() : socket_->bytesToWrite(); }

    /// Sends as much of standard input as there is and as the window takes.
    void feed() {
        if (isOver_ || socket_->state() != SocketState::Connected)
            return;
        if (hasPeerEnded_) {
            lookForUnsent();
            return;
        }
        while (input_ && onTheWay() < window) {
            const auto piece = input_->read();
            if (!piece)
                break;
            if (piece->empty())
                input_.reset();
            else
                transmit(*piece);
        }
        if (input_) {
            input_->setWatched(onTheWay() < window);
        } else if (!hasEnded_) {
            hasEnded_ = true;
            socket_->shutdownWrite();
        }
        if (options_.verify && hasEnded_ && echo_.onTheWay() == 0)
            conclude(Success);
    }

    void transmit(std::string_view bytes) {
        socket_->write(bytes);
        if (options_.verify)
            echo_.sent(bytes);
    }

    void receive() {
        for (std::string_view bytes = socket_->peek(); !bytes.empty() && !isOver_; bytes = socket_->peek()) {
            const std::size_t same = options_.verify ? echo_.cameBack(bytes) : bytes.size();
            writeOut(bytes.substr(0, same));
            if (same != bytes.size()) {
                fail("the echo from " + options_.peer.text + " differs from byte " +
                     std::to_string(echo_.bytesMatched() + 1) + " on");
                return;
            }
            socket_->skip(same);
        }
        feed();
    }

    /// Whatever there is to send, there is nobody to answer it.
    void peerEnded() {
        if (isOver_)
            return;
        if (options_.verify) {
            fail(options_.peer.text + " closed the connection" + progress());
            return;
        }
        hasPeerEnded_ = true;
        socket_->flush(); // what a slot has written just now
        if (!isOver_)
            lookForUnsent();
        if (!isOver_)
            halyard::Timer::singleShot(untilIdle, this, [this] {
                if (!isOver_)
                    conclude(Success);
            });
    }

    /// Ends where it is known whether everything was sent. Input that is open and has nothing is no loss, because who
    /// talks with a server at a terminal never ends it; whether it has nothing, or is a little late, a moment tells.
    void lookForUnsent() {
        const bool waits = socket_->bytesToWrite() != 0;
        const auto more = !waits && input_ ? input_->read() : std::nullopt;
        if (waits || (more && !more->empty()))
            fail(options_.peer.text + " ended the connection before everything was sent");
        else if (!input_ || more)
            conclude(Success);
        else
            input_->setWatched(true);
    }

    void breakOff() {
        if (!isOver_)
            fail(socket_->errorString() + progress());
    }

    std::string progress() const {
        if (!hasBegun_ || !options_.verify)
            return {};
        return "; " + std::to_string(echo_.bytesMatched()) + " of " + std::to_string(echo_.bytesSent()) +
               " bytes came back";
    }

    void fail(const std::string& sentence) {
        complain(sentence);
        conclude(Failure);
    }

    void conclude(ExitCode code) {
        isOver_ = true;
        if (code == Success)
            socket_->disconnectFromHost();
        else
            socket_->abort();
        loop_.exit(code);
    }

    EventLoop& loop_;
    const SendOptions& options_;
    UnixSignal interrupt_{SIGINT};
    UnixSignal terminate_{SIGTERM};
    std::unique_ptr<halyard::StreamSocket> socket_;
    std::optional<StandardInput> input_;
    EchoCheck echo_;
    bool hasBegun_ = false;
    bool hasEnded_ = false; ///< this side
    bool hasPeerEnded_ = false;
    bool isOver_ = false;
};

} // namespace

int send(const SendOptions& options) {
    EventLoop loop;
    const Sender sender(loop, options);
    return loop.exec();
}

} // namespace echo
