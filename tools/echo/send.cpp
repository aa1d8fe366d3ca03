#include "send.h"

#include "echo_check.h"
#include "exit_code.h"
#include "standard_input.h"
#include "standard_streams.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/unix_signal.h>
#include <halyard/net/tcp_socket.h>

#include <csignal>
#include <cstddef>
#include <string_view>

namespace echo {

namespace {

using halyard::Endpoint;
using halyard::EventLoop;
using halyard::TcpSocket;
using halyard::UnixSignal;

// Of standard input so much is on its way at a time, and held here to be compared.
constexpr std::size_t window = 1024 * 1024;

class Sender : public halyard::Object {
  public:
    Sender(EventLoop& loop, const Endpoint& where, const std::optional<std::string>& text)
        : loop_(loop), where_(where), text_(text) {
        socket_.connected.connect(this, &Sender::begin);
        socket_.readyRead.connect(this, &Sender::receive);
        socket_.errorOccurred.connect(this, &Sender::breakOff);
        for (UnixSignal* each : {&interrupt_, &terminate_})
            each->received.connect(this, [this] { fail("interrupted" + progress()); });
        socket_.connectToHost(where.address, where.port);
    }

  private:
    void begin() {
        hasBegun_ = true;
        if (text_) {
            transmit(*text_);
        } else {
            input_.emplace();
            input_->readable.connect(this, &Sender::feed);
        }
        feed();
    }

    /// Sends as much of standard input as there is and as the window takes.
    void feed() {
        if (isOver_)
            return;
        while (input_ && echo_.onTheWay() < window) {
            const auto piece = input_->read();
            if (!piece)
                break;
            if (piece->empty())
                input_.reset();
            else
                transmit(*piece);
        }
        if (input_)
            input_->setWatched(echo_.onTheWay() < window);
        else if (echo_.onTheWay() == 0)
            conclude(Success);
    }

    void transmit(std::string_view bytes) {
        socket_.write(bytes);
        echo_.sent(bytes);
    }

    void receive() {
        for (std::string_view bytes = socket_.peek(); !bytes.empty() && !isOver_; bytes = socket_.peek()) {
            const std::size_t same = echo_.cameBack(bytes);
            writeOut(bytes.substr(0, same));
            if (same != bytes.size()) {
                fail("the echo from " + where_.toString() + " differs from byte " +
                     std::to_string(echo_.bytesMatched() + 1) + " on");
                return;
            }
            socket_.skip(same);
        }
        feed();
    }

    void breakOff() {
        if (!isOver_)
            fail(socket_.errorString() + progress());
    }

    std::string progress() const {
        if (!hasBegun_)
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
            socket_.disconnectFromHost();
        else
            socket_.abort();
        loop_.exit(code);
    }

    EventLoop& loop_;
    const Endpoint where_;
    const std::optional<std::string>& text_;
    UnixSignal interrupt_{SIGINT};
    UnixSignal terminate_{SIGTERM};
    TcpSocket socket_;
    std::optional<StandardInput> input_;
    EchoCheck echo_;
    bool hasBegun_ = false;
    bool isOver_ = false;
};

} // namespace

int send(const Endpoint& where, const std::optional<std::string>& text) {
    EventLoop loop;
    const Sender sender(loop, where, text);
    return loop.exec();
}

} // namespace echo
