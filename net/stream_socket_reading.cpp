// The reading half of StreamSocket.
#include <halyard/net/stream_socket.h>

#include <algorithm>

namespace halyard {

/// After the user took something: a full buffer has room again.
void StreamSocket::taken() {
    if (inputLimit_ != 0)
        observe();
}

std::string StreamSocket::readAll() {
    std::string bytes = input_.takeAll();
    taken();
    return bytes;
}

std::string StreamSocket::read(std::size_t max) {
    std::string bytes = input_.take(max);
    taken();
    return bytes;
}

std::ptrdiff_t StreamSocket::read(std::span<std::byte> into) {
    const std::size_t count = input_.take(into);
    taken();
    if (count == 0 && !into.empty() && state_ == SocketState::Unconnected)
        return -1;
    return static_cast<std::ptrdiff_t>(count);
}

bool StreamSocket::canReadLine() const noexcept { return input_.find('\n') != input_.size(); }

std::string StreamSocket::readLine(std::size_t max) {
    const std::size_t line = std::min(input_.find('\n') + 1, input_.size());
    return read(max == 0 ? line : std::min(line, max));
}

std::size_t StreamSocket::skip(std::size_t bytes) {
    const std::size_t count = input_.skip(bytes);
    taken();
    return count;
}

void StreamSocket::setReadBufferSize(std::size_t bytes) {
    inputLimit_ = bytes;
    observe();
}

} // namespace halyard
