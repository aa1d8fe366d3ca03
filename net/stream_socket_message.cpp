// What every message passes on its way through StreamSocket: received, told, answered, sent. Each step looks first
// whether it is the common case, which these few functions do by themselves, and leaves all others to the rest of the
// class.
#include <halyard/net/stream_socket.h>

#include "socket_engine.h"
#include "socket_timeouts.h"

#include <algorithm>
#include <cerrno>

namespace halyard {

/// One frame for all of it: those of the functions that it consists of would cost a message 60 instructions.
[[gnu::flatten]] void StreamSocket::engineReady(std::uint32_t ready) {
    // Nearly always: there is something to read and nothing else to do.
    if (ready != readiness::Readable || hindered_.any() || terms_ != nullptr || unreported_ != 0) [[unlikely]] {
        engineReadyFor(ready);
        return;
    }
    const std::ptrdiff_t received = engine_->receiveAtOnce(input_.reserve());
    input_.commit(static_cast<std::size_t>(std::max<std::ptrdiff_t>(received, 0)));
    if (received <= 0 || inReadyRead_ != nullptr) [[unlikely]] {
        takeIn(received);
        return;
    }
    ++receptions_;
    tellReadyRead();
}

void StreamSocket::tellReadyRead() {
    bool isGone = false; // a guarded pointer would cost a message more than this
    inReadyRead_ = &isGone;
    answersAt_ = engine_->dispatchDepth();
    try {
        readyRead();
    } catch (...) {
        if (!isGone) {
            inReadyRead_ = nullptr;
            answersAt_ = nowhere;
            sendAnswer();
        }
        throw;
    }
    if (isGone)
        return;
    inReadyRead_ = nullptr;
    answersAt_ = nowhere;
    sendAnswer();
    if (input_.empty()) [[likely]]
        return;
    input_.shrink();
    if (isFull())
        observe();
}

std::ptrdiff_t StreamSocket::write(std::string_view data) {
    // An answer, written right in a slot of readyRead: sendAnswer() follows.
    if (livesHere() && !hindered_.any() && terms_ == nullptr && answersAt_ == engine_->dispatchDepth()) [[likely]] {
        output_.append(data);
        return static_cast<std::ptrdiff_t>(data.size());
    }
    return writeAnywhere(data);
}

void StreamSocket::engineSlotReturned() noexcept { sendAnswer(); }

void StreamSocket::sendAnswer() noexcept {
    // Nearly always: one piece, nothing else to do for this connection, and nobody who wants to hear of it.
    const std::string_view bytes = output_.onlyPiece();
    if (bytes.empty() || hindered_.any() || cause_ != 0 || terms_ != nullptr || bytesWritten.connectionCount() != 0)
        [[unlikely]] {
        sendAfterSlot();
        return;
    }
    const std::ptrdiff_t sent = engine_->sendAtOnce(bytes);
    if (sent == static_cast<std::ptrdiff_t>(bytes.size())) [[likely]] {
        output_.sentOnlyPiece();
        unreported_ = 0;
        ++reports_; // a wait hears of it all the same
        return;
    }
    const auto part = static_cast<std::size_t>(std::max<std::ptrdiff_t>(sent, 0));
    output_.sentPart(part);
    transmitted(part, sent < 0 ? static_cast<int>(-sent) : EAGAIN);
    tellOfTransmission();
}

} // namespace halyard
