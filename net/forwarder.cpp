#include <halyard/net/forwarder.h>

#include "pipe.h"

#include <utility>

namespace halyard {

namespace {

// A pipe costs two descriptors, and pays from about so many bytes at a time on.
constexpr std::size_t much = 32 * 1024;
constexpr int longStreak = 4;

} // namespace

Forwarder::Forwarder(StreamSocket& one, StreamSocket& other, Object* parent, std::size_t mostQueued)
    : Object(parent), mostQueued_(mostQueued), one_(one), other_(other) {
    join(one_, other_);
    join(other_, one_);
    pass(one_, other_);
    pass(other_, one_);
}

Forwarder::~Forwarder() {
    for (Side* const side : {&one_, &other_}) {
        endBypass(*side);
        wait(*side, Queued, false);
    }
}

void Forwarder::join(Side& from, Side& to) {
    StreamSocket& source = *from.socket;
    source.setAllowHalfOpen(true);
    source.setWriteBufferWatermarks(mostQueued_ / 4, mostQueued_);
    source.setWriteBufferLimit(0); // what it refused would be missed
    source.readyRead.connect(this, [this, &from, &to] { pass(from, to); });
    source.writeBufferFull.connect(this, [this, &to] { wait(to, Queued, true); });
    source.writeBufferDrained.connect(this, [this, &from, &to] {
        wait(to, Queued, false);
        pass(to, from);
    });
    source.readChannelFinished.connect(this, [this, &from, &to] {
        if (from.socket->state() != SocketState::Connected) {
            sideEnded(from, to, from.socket->error() == SocketError::None);
            return;
        }
        pass(from, to); // what came before its end
        if (to.socket)
            to.socket->shutdownWrite();
    });
    source.errorOccurred.connect(this, [this, &from, &to] {
        if (from.socket->state() == SocketState::Unconnected)
            sideEnded(from, to, false); // it could not be connected
    });
    source.disconnected.connect(this,
                                [this, &from, &to] { sideEnded(from, to, from.socket->error() == SocketError::None); });
    source.destroyed.connect(this, [this, &from, &to] { sideEnded(from, to, true); });
}

void Forwarder::pass(Side& from, Side& to) {
    if (!from.socket || !to.socket || to.over)
        return;
    std::size_t passed = 0;
    if (from.pipe != nullptr) {
        passed = from.pipe->takeNews();
        wait(from, Piped, from.pipe->size() != 0);
    }
    if (!from.socket->atEnd()) {
        const std::ptrdiff_t moved = to.socket->writeFrom(*from.socket);
        passed += moved > 0 ? static_cast<std::size_t>(moved) : 0U;
    }
    from.passed += passed;
    if (passed != 0)
        judge(from, to, passed);
}

/// Whether the way that what comes from this side takes is the right one for so many bytes at a time.
void Forwarder::judge(Side& from, Side& to, std::size_t passed) {
    const bool isMuch = passed >= much;
    if (isMuch == (from.pipe != nullptr))
        from.streak = 0;
    else if (++from.streak >= longStreak && isMuch)
        beginBypass(from, to);
    else if (from.streak >= longStreak)
        endBypass(from);
}

void Forwarder::beginBypass(Side& from, Side& to) {
    from.streak = 0;
    from.pipe = Pipe::make(mostQueued_);
    if (from.pipe == nullptr)
        return;
    from.socket->setBypass(from.pipe, to.socket.get());
    from.drained = to.socket->bytesWritten.connect(this, [this, &from] {
        if (from.pipe->size() == 0)
            wait(from, Piped, false);
    });
}

void Forwarder::endBypass(Side& from) {
    if (from.pipe == nullptr)
        return;
    from.streak = 0;
    from.drained.disconnect();
    if (from.socket)
        from.socket->setBypass(nullptr, nullptr);
    from.pipe.reset();
    wait(from, Piped, false);
}

void Forwarder::wait(Side& side, Reason what, bool so) {
    const std::uint8_t before = side.waitsFor;
    side.waitsFor = static_cast<std::uint8_t>(so ? before | what : before & ~what);
    if (!side.socket || (before == None) == (side.waitsFor == None))
        return;
    if (side.waitsFor != None)
        side.socket->pauseReading();
    else
        side.socket->resumeReading();
}

void Forwarder::sideEnded(Side& side, Side& other, bool inOrder) {
    if (side.over)
        return;
    pass(side, other);
    side.over = true;
    endBypass(side);
    endBypass(other);
    const Pointer<Forwarder> self(this);
    if (other.socket && !other.over) {
        wait(other, Queued, false);
        if (inOrder)
            other.socket->disconnectFromHost();
        else
            other.socket->abort();
    }
    if (self && other.over && !std::exchange(isFinished_, true))
        finished();
}

} // namespace halyard
