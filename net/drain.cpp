#include <halyard/net/drain.h>

#include "close_now.h"

#include <halyard/core/event_loop.h>
#include <halyard/net/stream_server.h>
#include <halyard/net/stream_socket.h>

#include <utility>

namespace halyard {

using namespace std::chrono_literals;

Drain::Drain(Object* parent) : Object(parent), deadline_(new Timer(this)) {
    deadline_->setSingleShot(true);
    deadline_->timeout.connect(this, &Drain::closeAll);
}

void Drain::add(StreamServer& server) { servers_.emplace_back(&server); }

void Drain::add(StreamSocket& connection) {
    if (!connections_.emplace(&connection, &connection).second)
        return;
    connection.disconnected.connect(this, [this, gone = &connection] { forget(gone); });
    connection.destroyed.connect(this, &Drain::forget);
}

void Drain::waitFor(Object& object) {
    if (others_.insert(&object).second)
        object.destroyed.connect(this, &Drain::forget);
}

/// `gone` may be half destroyed: only its address is looked at.
void Drain::forget(const Object* gone) {
    if (connections_.erase(gone) + others_.erase(gone) != 0)
        look();
}

void Drain::start(std::chrono::milliseconds grace) {
    if (!isOnItsThread("Drain::start()"))
        return;
    const Pointer<Drain> self(this);
    if (!std::exchange(started_, true)) {
        for (const auto& each : std::exchange(servers_, {}))
            if (each)
                stop(*each);
        if (self)
            started();
        if (!self)
            return;
    }
    if (grace > 0ms) {
        deadline_->start(grace);
    } else {
        deadline_->stop();
        if (grace == 0ms)
            closeAll();
    }
    if (self)
        look();
}

/// Each of its slots may delete the server.
void Drain::stop(StreamServer& server) {
    const Pointer<StreamServer> still(&server);
    bool nobodyCame = false;
    while (still && still->isListening() && !still->waitForNewConnection(0, &nobodyCame) && !nobodyCame &&
           still->acceptState() != AcceptState::PausedByError && still->acceptState() != AcceptState::Full) {
    }
    if (still)
        still->close();
}

void Drain::closeAll() {
    const Pointer<Drain> self(this);
    others_.clear();
    while (self && !connections_.empty()) {
        StreamSocket& socket = *connections_.begin()->second;
        connections_.erase(connections_.begin());
        closeNow(socket);
    }
    if (self)
        look();
}

/// Tells of the end in a coming turn: who asks for it in a slot is not called back inside.
void Drain::look() {
    if (!started_ || finished_ || !connections_.empty() || !others_.empty())
        return;
    finished_ = true;
    deadline_->stop();
    loop()->post([self = Pointer<Drain>(this)] {
        if (self)
            self->finished();
    });
}

} // namespace halyard
