#include <halyard/net/forwarder.h>

#include <utility>

namespace halyard {

Forwarder::Forwarder(StreamSocket& one, StreamSocket& other, Object* parent, std::size_t mostQueued)
    : Object(parent), one_{&one}, other_{&other} {
    join(one_, other_, mostQueued);
    join(other_, one_, mostQueued);
    pass(one_, other_);
    pass(other_, one_);
}

Forwarder::~Forwarder() {
    pause(one_, false);
    pause(other_, false);
}

void Forwarder::join(Side& from, Side& to, std::size_t mostQueued) {
    StreamSocket& source = *from.socket;
    source.setAllowHalfOpen(true);
    source.setWriteBufferWatermarks(mostQueued / 4, mostQueued);
    source.readyRead.connect(this, [this, &from, &to] { pass(from, to); });
    source.writeBufferFull.connect(this, [this, &to] { pause(to, true); });
    source.writeBufferDrained.connect(this, [this, &from, &to] {
        pause(to, false);
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
    if (!from.socket || !to.socket || to.over || from.socket->atEnd())
        return;
    const std::ptrdiff_t passed = to.socket->writeFrom(*from.socket);
    from.passed += passed > 0 ? static_cast<std::uint64_t>(passed) : 0U;
}

void Forwarder::pause(Side& side, bool paused) {
    if (!side.socket || side.isPaused == paused)
        return;
    side.isPaused = paused;
    if (paused)
        side.socket->pauseReading();
    else
        side.socket->resumeReading();
}

void Forwarder::sideEnded(Side& side, Side& other, bool inOrder) {
    if (side.over)
        return;
    pass(side, other);
    side.over = true;
    const Pointer<Forwarder> self(this);
    if (other.socket && !other.over) {
        pause(other, false);
        if (inOrder)
            other.socket->disconnectFromHost();
        else
            other.socket->abort();
    }
    if (self && other.over && !std::exchange(isFinished_, true))
        finished();
}

} // namespace halyard
