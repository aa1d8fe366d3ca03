// The writing half of StreamSocket.
#include <halyard/net/stream_socket.h>

#include "socket_engine.h"

#include <halyard/core/log.h>

#include <array>
#include <cerrno>
#include <utility>

#include <sys/uio.h>

namespace halyard {

bool StreamSocket::mayWrite() {
    if (!isOnItsThread("write() to a socket"))
        return false;
    if (state_ == SocketState::Unconnected || (leaving_ && peerHasEnded_)) {
        failure_ = {0, SocketError::Operation, Failure::What::NotConnected};
        logMessage(LogLevel::Warning, "halyard.net", "write() to a socket: it is not connected");
        return false;
    }
    return true;
}

bool StreamSocket::mayTransmit() const noexcept {
    return (state_ == SocketState::Connected || state_ == SocketState::Closing) && cause_ == 0;
}

std::ptrdiff_t StreamSocket::write(std::string_view data) {
    if (!mayWrite())
        return -1;
    const auto size = static_cast<std::ptrdiff_t>(data.size());
    const bool wasEmpty = output_.empty();
    if (wasEmpty && !data.empty() && mayTransmit()) {
        if (engine_->inDispatch()) {
            engine_->scheduleSlotReturned();
        } else {
            const iovec bytes{const_cast<char*>(data.data()), data.size()};
            data.remove_prefix(transmit({&bytes, 1}));
            engine_->schedule(); // bytesWritten, or the end of the connection
            if (cause_ != 0)
                return size;
            sendBlocked_ = !data.empty();
            output_.append(data);
            if (sendBlocked_)
                observe();
            return size;
        }
    }
    output_.append(data);
    return size;
}

std::ptrdiff_t StreamSocket::writeOwned(std::string& owned) {
    if (engine_ != nullptr && engine_->inDispatch() && mayWrite()) {
        const auto size = static_cast<std::ptrdiff_t>(owned.size());
        if (output_.empty() && size != 0 && mayTransmit())
            engine_->scheduleSlotReturned();
        output_.adopt(std::move(owned));
        return size;
    }
    return write(std::string_view(owned));
}

/// How many of the bytes the kernel took.
std::size_t StreamSocket::transmit(std::span<const iovec> bytes) noexcept {
    const std::ptrdiff_t sent = engine_->send(bytes);
    if (sent >= 0) {
        unreported_ += static_cast<std::size_t>(sent);
        return static_cast<std::size_t>(sent);
    }
    if (sent != -EAGAIN) {
        // What the peer sent before it broke the connection is still to be read: the loop tells of the end after that.
        cause_ = static_cast<int>(-sent);
        output_.clear();
    }
    return 0;
}

void StreamSocket::transmitQueued() noexcept {
    const bool wasBlocked = sendBlocked_;
    sendBlocked_ = false;
    while (!output_.empty() && !sendBlocked_ && cause_ == 0) {
        std::array<iovec, 64> vectors;
        std::size_t count = 1;
        if (output_.isOnePiece())
            vectors[0] = {const_cast<char*>(output_.front().data()), output_.size()};
        else
            count = static_cast<std::size_t>(output_.gather(vectors));
        std::size_t offered = 0;
        for (std::size_t i = 0; i != count; ++i)
            offered += vectors[i].iov_len;
        const std::size_t sent = transmit(std::span(vectors).first(count));
        output_.skip(sent);
        sendBlocked_ = sent < offered && cause_ == 0;
    }
    if (sendBlocked_ != wasBlocked)
        observe();
}

void StreamSocket::engineSlotReturned() noexcept {
    if (engine_ == nullptr || !mayTransmit() || output_.empty() || sendBlocked_)
        return;
    transmitQueued();
    // Whoever wants to hear of it has connected by now: without that, a message costs no turn of its own.
    if (bytesWritten.connectionCount() == 0)
        unreported_ = 0;
    if (unreported_ != 0 || cause_ != 0 || (leaving_ && output_.empty()))
        engine_->schedule();
}

void StreamSocket::reportWritten() {
    ++reports_;
    bytesWritten(static_cast<std::int64_t>(std::exchange(unreported_, 0)));
}

bool StreamSocket::flush() {
    if (engine_ == nullptr || !mayTransmit())
        return false;
    const std::size_t before = unreported_;
    transmitQueued();
    if (cause_ != 0 || (leaving_ && output_.empty()))
        engine_->schedule();
    if (unreported_ == before)
        return false;
    reportWritten();
    return true;
}

} // namespace halyard
