// How a connection ends: by this side, by the peer, by what broke it, or without the socket.
#include <halyard/net/stream_socket.h>

#include "emissions.h"
#include "lingering_close.h"
#include "or_go_on.h"
#include "socket_timeouts.h"

#include <halyard/core/log.h>

#include <cerrno>
#include <new>
#include <utility>

#include <unistd.h>

namespace halyard {

// --- by the peer ---

/// What a slot has kept from going on to its end: bytes were lost, or there is nothing to come and nothing more may go.
bool StreamSocket::hasBegunToEnd() const noexcept {
    return state_ == SocketState::Connected &&
           (outputLost_ || (hindered_.peerHasEnded && (writeEnded_ || !readFinished_)));
}

/// The peer has closed (cause 0), or the connection broke.
void StreamSocket::peerEnded(int cause) {
    hindered_.peerHasEnded = true;
    hindered_.cause = 0;
    const Still still(*this);
    if (cause == 0 && allowHalfOpen_ && state_ == SocketState::Connected) {
        observe();
        readFinished_ = true;
        readChannelFinished();
        if (still && state_ == SocketState::Connected && writeEnded_)
            leave(Ending::Gentle);
        return;
    }
    if (cause != 0) {
        discardOutput();
        writeEnded_ = true; // nothing goes any more
        hindered_.sendBlocked = outputFull_ = tellFull_ = false;
    }
    const SocketState before = state_;
    orGoOn(still, [&] {
        if (cause == 0)
            fail(Failure::What::Closed, SocketError::RemoteHostClosed);
        else
            fail(cause == ENODATA ? Failure::What::File : Failure::What::Broken, socketErrorFromErrno(cause), cause);
    });
    if (still && state_ == before)
        leave(cause == 0 ? Ending::Gentle : Ending::Reset);
}

// --- by this side ---

void StreamSocket::disconnectFromHost() {
    if (!isOnItsThread("disconnectFromHost() of a socket"))
        return;
    if (isConnecting())
        hindered_.leaving = true;
    else if (state_ == SocketState::Connected)
        leave(Ending::Gentle);
    else if (state_ == SocketState::Bound)
        finish(Ending::Gentle);
}

void StreamSocket::close() {
    if (!isOnItsThread("close() of a socket"))
        return;
    input_.clear();
    disconnectFromHost();
}

void StreamSocket::abort() {
    if (!isOnItsThread("abort() of a socket"))
        return;
    if (state_ != SocketState::Unconnected)
        finish(Ending::Abort);
    else
        input_.clear();
}

/// Closing: what is queued goes out first.
void StreamSocket::leave(Ending how) {
    hindered_.leaving = true;
    const Still still(*this);
    try {
        orGoOn(still, [this] { setState(SocketState::Closing); });
    } catch (...) {
        if (still && state_ == SocketState::Closing) { // until the loop goes on, more may be written
            useTimeouts().owe(output_.size());
            useTimeouts().start(SocketTimeouts::Closing);
        }
        throw;
    }
    if (!still || state_ != SocketState::Closing)
        return;
    if (how == Ending::Reset || outputLost_ || output_.empty()) {
        finish(how);
    } else {
        useTimeouts().owe(output_.size()); // what a slot of stateChanged has written as well
        awaitSent();
    }
}

/// The rest of closing, for as long as the closing timeout allows.
void StreamSocket::awaitSent() {
    useTimeouts().start(SocketTimeouts::Closing);
    if (hindered_.sendBlocked)
        observe(); // else the slot has not returned yet, and what it wrote goes out when it has
}

void StreamSocket::finish(Ending how) {
    if (unreported_ != 0) {
        const Still still(*this);
        try {
            reportWritten();
        } catch (...) {
            if (still && state_ != SocketState::Unconnected)
                finishReported(how);
            throw;
        }
        if (!still)
            return;
        if (state_ == SocketState::Unconnected) { // the slot's doing
            if (how == Ending::Abort)
                input_.clear();
            return;
        }
    }
    finishReported(how);
}

/// What is thrown away goes last of all: nothing may follow it, neither what a slot has written nor what came while it
/// ran.
void StreamSocket::finishReported(Ending how) {
    if (outputLost_ && how == Ending::Gentle)
        how = Ending::Reset; // an orderly end would say that this was all
    if (how == Ending::Gentle && (unreported_ != 0 || !output_.empty())) {
        awaitSent(); // a slot of bytesWritten has just written it
        return;
    }
    if (how == Ending::Abort)
        input_.clear();
    if (unreported_ != 0) {
        outputLost_ = true; // so here, but the peer is about to be told to forget it
        takeUnreported();
    }
    const bool wasConnected = state_ == SocketState::Connected || state_ == SocketState::Closing;
    const bool tellReadChannel = state_ != SocketState::Bound && !readFinished_;
    if (!wasConnected || how != Ending::Gentle || hindered_.peerHasEnded)
        engine_->close(how == Ending::Reset || how == Ending::Abort);
    else if (!engine_->closeOverInput())
        linger();
    dropEngine();
    struct Farewell {
        explicit Farewell(StreamSocket& socket) noexcept : self(&socket) { socket.inFarewell_ = true; }
        Farewell(const Farewell&) = delete;
        Farewell& operator=(const Farewell&) = delete;
        ~Farewell() {
            if (self)
                self->inFarewell_ = false;
        }
        Pointer<StreamSocket> self;
    } const farewell(*this);
    Emissions emissions;
    emissions.make([&] { setState(SocketState::Unconnected); });
    if (farewell.self && tellReadChannel)
        emissions.make([&] { readChannelFinished(); });
    if (farewell.self && wasConnected)
        emissions.make([&] { disconnected(); });
    emissions.end();
}

/// With all that waited for it.
void StreamSocket::dropEngine() noexcept {
    engine_.reset();
    if (timeouts() != nullptr)
        timeouts()->owe(0);
    discardOutput();
    hindered_.sendBlocked = hindered_.leaving = outputFull_ = tellFull_ = false;
}

int StreamSocket::releaseDescriptor() {
    if (!isOnItsThread("releaseDescriptor() of a socket"))
        return -1;
    const auto refused = [this](Failure::What what) {
        setFailure(what, SocketError::Operation);
        logMessage(LogLevel::Warning, "halyard.net", "releaseDescriptor() of a socket: " + errorString());
        return -1;
    };
    if (state_ != SocketState::Connected && state_ != SocketState::Bound)
        return refused(Failure::What::NotConnected);
    if (!output_.empty() && mayTransmit() && !hindered_.sendBlocked)
        transmitQueued();
    if (unreported_ != 0) { // while the connection is whole: a slot may throw
        const Still still(*this);
        reportWritten();
        if (!still)
            return -1;
        if (state_ != SocketState::Connected)
            return refused(Failure::What::NotConnected);
    }
    if (!output_.empty() || unreported_ != 0 || outputLost_ || hindered_.cause != 0) // slots may have written more
        return refused(Failure::What::Unsent);
    const int descriptor = engine_->release();
    try {
        finish(Ending::Released);
    } catch (...) { // nobody gets it
        ::close(descriptor);
        throw;
    }
    return descriptor;
}

// --- without the socket ---

StreamSocket::~StreamSocket() {
    if (answering_ != nullptr)
        endAnswering();
    if (isArriving_)
        isOnItsThread("the end of a socket"); // where it joins the loop first
    if (engine_ == nullptr || state_ == SocketState::Bound)
        return;
    if (outputLost_) {
        engine_->close(true); // an orderly end would say that this was all
        return;
    }
    if (hindered_.cause != 0)
        return;
    const bool isHeardOut = output_.empty() && !isConnecting() && !hindered_.peerHasEnded && !engine_->closeOverInput();
    if (isHeardOut || !output_.empty())
        linger();
}

/// The connection goes on without the socket, to its end: which is now, where there is no memory for that.
void StreamSocket::linger() noexcept try {
    using enum LingeringClose::Stage;
    const LingeringClose::Stage stage = isConnecting() ? Connecting : !output_.empty() ? Sending : HearingOut;
    LingeringClose::begin(std::move(engine_), std::move(output_), stage,
                          timeouts() != nullptr ? timeouts()->limit(SocketTimeouts::Closing)
                                                : SocketTimeouts::closingDefault);
} catch (const std::bad_alloc&) {
}

} // namespace halyard
