#include <halyard/net/drain.h>

#include "close_now.h"
#include "emissions.h"

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
    if (connections_.contains(&connection) || (started_ && connection.state() == SocketState::Unconnected))
        return;
    // A connecting that fails has no disconnected; and a slot that throws keeps those behind it from hearing of it.
    connection.stateChanged.connect(this, [this, its = &connection](SocketState state) {
        if (state == SocketState::Unconnected)
            forget(its);
    });
    connection.disconnected.connect(this, [this, gone = &connection] { forget(gone); });
    connection.destroyed.connect(this, &Drain::forget);
    connections_.emplace(&connection, &connection);
}

void Drain::waitFor(Object& object) {
    if (others_.contains(&object))
        return;
    object.destroyed.connect(this, &Drain::forget);
    others_.insert(&object);
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
    Emissions emissions;
    if (!std::exchange(started_, true)) {
        std::erase_if(connections_, [](const auto& each) { return each.second->state() == SocketState::Unconnected; });
        for (const auto& each : std::exchange(servers_, {}))
            if (each)
                emissions.make([&] { stop(*each); });
        if (self)
            emissions.make([&] { started(); });
    }
    if (self)
        emissions.make([&] { finishIn(grace); });
    emissions.end();
}

void Drain::finishIn(std::chrono::milliseconds grace) {
    if (grace > 0ms)
        deadline_->start(grace);
    else
        deadline_->stop();
    if (grace == 0ms)
        closeAll();
    else
        look();
}

/// Each of its slots may delete the server.
void Drain::stop(StreamServer& server) {
    const Pointer<StreamServer> still(&server);
    Emissions emissions;
    emissions.make([&] {
        bool nobodyCame = false;
        while (still && still->isListening() && !still->waitForNewConnection(0, &nobodyCame) && !nobodyCame &&
               still->acceptState() != AcceptState::PausedByError && still->acceptState() != AcceptState::Full) {
        }
    });
    if (still)
        emissions.make([&] { still->close(); });
    emissions.end();
}

void Drain::closeAll() {
    const Pointer<Drain> self(this);
    Emissions emissions;
    others_.clear();
    while (self && !connections_.empty()) {
        StreamSocket& socket = *connections_.begin()->second;
        connections_.erase(connections_.begin());
        emissions.make([&] { closeNow(socket); });
    }
    if (self)
        emissions.make([this] { look(); });
    emissions.end();
}

/// Tells of the end in a coming turn: who asks for it in a slot is not called back inside.
void Drain::look() {
    if (!started_ || finished_ || !connections_.empty() || !others_.empty())
        return;
    deadline_->stop();
    loop()->post([self = Pointer<Drain>(this)] {
        if (self)
            self->finished();
    });
    finished_ = true;
}

} // namespace halyard
