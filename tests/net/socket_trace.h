#pragma once

#include <halyard/net/tcp_socket.h>

#include <string>

namespace halyard::test {

/// Writes down what a socket emits, as a line of words.
class SocketTrace {
  public:
    explicit SocketTrace(TcpSocket& socket) {
        socket.hostFound.connect([this] { add("hostFound"); });
        socket.connected.connect([this] { add("connected"); });
        socket.disconnected.connect([this] { add("disconnected"); });
        socket.readyRead.connect([this] { add("readyRead"); });
        socket.readChannelFinished.connect([this] { add("readChannelFinished"); });
        socket.writeBufferFull.connect([this] { add("writeBufferFull"); });
        socket.writeBufferDrained.connect([this] { add("writeBufferDrained"); });
        socket.bytesWritten.connect([this](std::int64_t n) { add("bytesWritten(" + std::to_string(n) + ")"); });
        socket.stateChanged.connect([this](SocketState state) { add(std::string(nameOf(state))); });
        socket.errorOccurred.connect([this, &socket](SocketError error) {
            add("error(" + std::string(nameOf(error)) + " while " + std::string(nameOf(socket.state())) + ")");
        });
    }

    const std::string& text() const noexcept { return text_; }
    std::string take() { return std::exchange(text_, {}); }

  private:
    void add(const std::string& word) { text_ += (text_.empty() ? "" : " ") + word; }

    std::string text_;
};

} // namespace halyard::test
