// What every message passes on its way through StreamSocket: received, told, answered, sent. Each step looks first
// whether it is the common case, which these few functions do by themselves, and leaves all others to the rest of the
// class.
#include <halyard/net/stream_socket.h>

#include "socket_engine.h"
#include "socket_timeouts.h"

#include <algorithm>
#include <cerrno>

namespace halyard {

static_assert(DispatchState::wholeShare == ByteQueue::wholeSegment, "who may take most has room for it");

StreamSocket::Answering::Answering(StreamSocket& its) noexcept
    : socket(&its), outer(answering_), loop(its.engine_->dispatchState()), depth(loop.depth) {
    answering_ = this;
}

constinit thread_local StreamSocket::Answering* StreamSocket::answering_ = nullptr;

/// A slot of readyRead may write, and then run a loop until its peer has answered that.
void StreamSocket::sendAnswersSoFar() noexcept {
    for (const Answering* each = answering_; each != nullptr; each = each->outer)
        if (each->socket != nullptr)
            each->socket->sendAnswer();
}

[[maybe_unused]] const bool StreamSocket::sendsBeforeNestedTurns_ =
    (DispatchState::beforeNestedTurn = &sendAnswersSoFar) != nullptr;

StreamSocket::Answering* StreamSocket::findAnswering() const noexcept {
    Answering* each = answering_;
    while (each != nullptr && each->socket != this)
        each = each->outer;
    return each;
}

void StreamSocket::endAnswering() noexcept {
    if (Answering* const its = findAnswering())
        its->socket = nullptr;
}

/// One frame for all of it: those of the functions that it consists of would cost a message 60 instructions.
[[gnu::flatten]] void StreamSocket::engineReady(std::uint32_t ready) {
    // Nearly always: there is something to read and nothing else to do.
    if (ready != readiness::Readable || hindered_.any() || answering_ != nullptr) [[unlikely]] {
        engineReadyFor(ready);
        return;
    }
    const std::ptrdiff_t received = engine_->receiveAtOnce(input_.reserve(engine_->share()));
    if (received <= 0) [[unlikely]] {
        takeNothing(received);
        return;
    }
    input_.commitSome(static_cast<std::size_t>(received));
    ++receptions_;
    tellReadyRead();
}

/// By itself, as keepRest() is: what is rare takes no register of what is not.
[[gnu::noinline]] void StreamSocket::takeNothing(std::ptrdiff_t received) {
    input_.commit(0);
    takeIn(received);
}

void StreamSocket::tellReadyRead() {
    {
        const Answering here(*this);
        try {
            readyRead();
        } catch (...) {
            if (here.socket != nullptr)
                sendAfterSlot();
            throw;
        }
        if (here.socket == nullptr)
            return;
    }
    sendAnswer();
    if (!input_.empty()) [[unlikely]]
        keepRest();
}

/// What the slot has not read.
[[gnu::noinline]] void StreamSocket::keepRest() {
    input_.shrink();
    if (isFull())
        observe();
}

std::ptrdiff_t StreamSocket::writeOwned(std::string& owned) {
    if (owned.size() >= ByteQueue::longString)
        return writeMoved(owned);
    const std::ptrdiff_t written = write(owned);
    if (written >= 0)
        ByteQueue::reuse(owned);
    return written;
}

void StreamSocket::engineSlotReturned() noexcept { sendAnswer(); }

void StreamSocket::sendAnswer() noexcept {
    // Nearly always: one piece, nothing else to do for this connection, and nobody who wants to hear of it.
    const std::string_view bytes = output_.onlyPiece();
    if (bytes.empty() || hindered_.any() || bytesWritten.connectionCount() != 0) [[unlikely]] {
        sendAfterSlot();
        return;
    }
    const std::ptrdiff_t sent = engine_->sendAtOnce(bytes);
    if (sent == static_cast<std::ptrdiff_t>(bytes.size())) [[likely]] {
        output_.sentOnlyPiece();
        ++reports_; // a wait hears of it all the same
        return;
    }
    const auto part = static_cast<std::size_t>(std::max<std::ptrdiff_t>(sent, 0));
    output_.sentPart(part);
    transmitted(part, sent < 0 ? static_cast<int>(-sent) : EAGAIN);
    tellOfTransmission();
}

} // namespace halyard
