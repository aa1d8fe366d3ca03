#include <halyard/net/stream_socket.h>

#include "counted_engine.h"
#include "emissions.h"
#include "engine_failure.h"
#include "native_engine.h"
#include "or_go_on.h"
#include "socket_timeouts.h"

#include <halyard/core/log.h>

#include <cerrno>
#include <new>
#include <utility>

#include <sys/socket.h>

namespace halyard {

StreamSocket::StreamSocket(Object* parent) : Object(parent) {}

// --- beginning ---

bool StreamSocket::isFree(std::string_view call, bool boundWillDo) {
    if (!isOnItsThread(call))
        return false;
    if (state_ == SocketState::Unconnected || (boundWillDo && state_ == SocketState::Bound))
        return true;
    logMessage(LogLevel::Warning, "halyard.net", std::string(call).append(": it is in use already"));
    fail(Failure::What::InUse, SocketError::Operation);
    return false;
}

void StreamSocket::begin() {
    begin(state_ == SocketState::Bound ? std::move(engine_) : std::make_unique<NativeEngine>(engineClient()));
}

void StreamSocket::begin(std::unique_ptr<SocketEngine> engine) {
    ++connection_;
    input_.clear();
    output_.clear();
    unreported_ = 0;
    failure_ = {};
    const bool paused = hindered_.paused;
    hindered_ = {};
    hindered_.paused = paused;
    hindered_.special = terms_ != nullptr;
    readFinished_ = writeEnded_ = outputFull_ = tellFull_ = outputLost_ = urgentSeen_ = false;
    engine_ = std::move(engine);
    if (timeouts() != nullptr)
        timeouts()->start(SocketTimeouts::Connecting);
}

void StreamSocket::connecting(int result) {
    hindered_.cause = result == EINPROGRESS ? engine_->observe(readiness::Writable) : result;
    if (result != EINPROGRESS || hindered_.cause != 0)
        engine_->schedule(); // whichever it is, it is told from the loop
    setState(SocketState::Connecting);
}

void StreamSocket::finishConnecting() {
    if (hindered_.cause == 0)
        hindered_.cause = engine_->finishConnect();
    if (hindered_.cause == EINPROGRESS) {
        hindered_.cause = 0;
        return;
    }
    try {
        peerDecided();
        if (auto next = hindered_.cause == 0 ? engine_->successor() : nullptr)
            engine_ = std::move(next);
    } catch (const std::bad_alloc&) {
        hindered_.cause = ENOMEM; // an exception out of the loop would be told to nobody, and nothing more after it
    }
    if (hindered_.cause == 0)
        hindered_.cause = engine_->observe(readiness::Readable);
    if (const int cause = std::exchange(hindered_.cause, 0); cause != 0) {
        if (const EngineFailure* const known = engine_->failure())
            failConnecting(Failure::What::Proxy, known->error, cause);
        else
            failConnecting(Failure::What::Connect, socketErrorFromErrno(cause), cause);
        return;
    }
    if (timeouts() != nullptr)
        timeouts()->start(SocketTimeouts::Reading);
    const Still still(*this);
    orGoOn(still, [&] {
        Emissions emissions;
        emissions.make([&] { setState(SocketState::Connected); });
        if (still && state_ == SocketState::Connected)
            emissions.make([&] { connected(); });
        emissions.end();
    });
    if (still)
        goOn();
}

/// What was asked for before the connection stood.
void StreamSocket::goOn() {
    if (mayTransmit() && !output_.empty() && !hindered_.sendBlocked)
        engine_->scheduleSlotReturned();
    if (hindered_.leaving && state_ == SocketState::Connected)
        leave(Ending::Gentle);
    else
        endWriting();
}

void StreamSocket::failConnecting(Failure::What what, SocketError error, int cause) {
    dropEngine();
    const Still still(*this);
    Emissions emissions;
    emissions.make([&] { setState(SocketState::Unconnected); });
    if (still && state_ == SocketState::Unconnected)
        emissions.make([&] { fail(what, error, cause); });
    emissions.end();
}

bool StreamSocket::setSocketDescriptor(int descriptor, SocketState state) {
    if (!isOnItsThread("setSocketDescriptor() of a socket"))
        return false;
    const auto refused = [this](Failure::What what, SocketError error, int cause) {
        setFailure(what, error, cause);
        if (error != SocketError::RemoteHostClosed) // which no caller can help: who resets many shall not fill a log
            logMessage(LogLevel::Warning, "halyard.net", "setSocketDescriptor() of a socket: " + errorString());
        return false;
    };
    if (state_ != SocketState::Unconnected)
        return refused(Failure::What::InUse, SocketError::Operation, 0);
    if (state != SocketState::Connected)
        return refused(Failure::What::Descriptor, SocketError::UnsupportedSocketOperation, EINVAL);
    int type = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return refused(Failure::What::Descriptor, SocketError::UnsupportedSocketOperation, errno);
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (type != SOCK_STREAM)
        return refused(Failure::What::Descriptor, SocketError::UnsupportedSocketOperation, EPROTOTYPE);
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
        const int cause = errno;
        int broken = 0; // why, where it was a connection
        length = sizeof broken;
        if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &broken, &length) == 0 && broken != 0)
            return refused(Failure::What::Descriptor, SocketError::RemoteHostClosed, broken);
        return refused(Failure::What::Descriptor, SocketError::UnsupportedSocketOperation, cause);
    }
    begin();
    const auto giveBack = [this] {
        engine_->release();
        engine_.reset();
    };
    engine_->adopt(descriptor);
    try {
        if (const int error = engine_->watch(descriptor, readiness::Readable); error != 0) {
            giveBack();
            return refused(Failure::What::Descriptor, socketErrorFromErrno(error), error);
        }
        adopted(reinterpret_cast<const sockaddr&>(name));
        if (timeouts() != nullptr)
            timeouts()->start(SocketTimeouts::Reading);
    } catch (const std::bad_alloc&) {
        giveBack(); // to the caller, who hears of it
        throw;
    }
    setState(SocketState::Connected);
    return true;
}

void StreamSocket::beginAccepted(int descriptor) {
    begin();
    engine_->adopt(descriptor);
    hindered_.suspended = true;
    hindered_.unconnected = false;
    state_ = SocketState::Connected;
}

void StreamSocket::countBy(ConnectionPermit permit) {
    if (engine_ == nullptr)
        return; // it has ended already, or never begun: the place is somebody else's
    auto counted = std::make_unique<CountedEngine>(engineClient());
    counted->adopt(engine_->release());
    counted->count(std::move(permit));
    engine_ = std::move(counted);
    observe();
    if (!output_.empty() || unreported_ != 0 || hindered_.cause != 0)
        engine_->schedule(); // which the other engine was to be called for
}

// --- what the loop tells ---

void StreamSocket::engineReadyFor(std::uint32_t ready) {
    const Still still(*this);
    try {
        goThrough(ready, still);
    } catch (...) {
        // After an error it is watched no longer, and that has still to be told.
        if (still && hasPeer() && (ready & readiness::Error) != 0)
            observe();
        throw;
    }
}

/// What is due, and what is ready.
void StreamSocket::goThrough(std::uint32_t ready, const Still& still) {
    if (hindered_.sendBlocked && (ready & (readiness::Writable | readiness::Error)) != 0)
        transmitQueued();
    if (unreported_ != 0) {
        orGoOn(still, [this] { reportWritten(); });
        if (!still)
            return;
    }
    if (outputFull_) {
        orGoOn(still, [this] { tellWriteBuffer(); });
        if (!still)
            return;
    }
    if (state_ == SocketState::HostLookup) {
        lookedUp();
        return;
    }
    if (state_ == SocketState::Connecting) {
        finishConnecting();
        return;
    }
    if (state_ == SocketState::Closing) {
        if (hindered_.cause != 0)
            peerEnded(hindered_.cause);
        else if (output_.empty())
            finish(Ending::Gentle);
        else if (ready == readiness::None)
            observe();
    } else if (state_ == SocketState::Connected) {
        if (hasBegunToEnd() && hindered_.cause == 0)
            leave(Ending::Gentle);
        else if (hindered_.leaving)
            goOn();
        else
            exchange(ready);
    }
    if (still && (ready & ~readiness::Writable) != 0)
        observe(); // after an error it is watched no longer, and there may be more to come
}

/// Both ways: who writes all the time shall hear its peer too.
void StreamSocket::exchange(std::uint32_t ready) {
    if (hindered_.cause == 0 && !hindered_.sendBlocked)
        goOn();
    if (reads() && hindered_.cause == 0 && (ready & ~readiness::Writable) != 0)
        receive();
    else if (hindered_.cause != 0 || (ready & readiness::Error) != 0)
        receiveRest();
    else if ((ready & readiness::Urgent) != 0)
        urgentSeen_ = true;
}

// --- what to watch for ---

std::uint32_t StreamSocket::interest() const noexcept {
    std::uint32_t wanted = readiness::None;
    if (state_ == SocketState::Connecting || hindered_.sendBlocked)
        wanted |= readiness::Writable;
    if (state_ != SocketState::Connected || hindered_.suspended)
        return wanted;
    if (reads())
        wanted |= readiness::Readable;
    else if (!urgentSeen_)
        wanted |= readiness::Urgent; // only to hear of it when the connection breaks
    return wanted;
}

void StreamSocket::observe() {
    if (engine_ == nullptr || isArriving_) // it observes what it wants by then when it joins the loop
        return;
    const std::uint32_t wanted = interest();
    if (timeouts() != nullptr && (wanted & ~engine_->interest() & readiness::Readable) != 0)
        timeouts()->start(SocketTimeouts::Reading); // what it did not listen to is not the peer's silence
    if (const int error = engine_->observe(wanted); error != 0) {
        hindered_.cause = error;
        engine_->schedule();
    }
}

// --- to another thread ---

void StreamSocket::leavingThread() {
    endAnswering();
    if (engine_ == nullptr)
        return;
    if (mayTransmit() && !output_.empty())
        transmitQueued(); // what a slot has queued goes now, as at the slot's end
    engine_->leaveLoop();
    if (timeouts() != nullptr)
        timeouts()->leaveLoop();
}

void StreamSocket::enteredThread() {
    if (engine_ == nullptr)
        return;
    engine_->joinLoop();
    if (timeouts() != nullptr)
        timeouts()->joinLoop();
    if (isConnecting())
        hindered_.cause = hindered_.cause != 0 ? hindered_.cause : engine_->observe(readiness::Writable);
    else
        observe();
    engine_->schedule(); // for what was due on the thread that it left
}

// --- what it is ---

void StreamSocket::setState(SocketState state) {
    if (state == state_)
        return;
    state_ = state;
    hindered_.unconnected = state != SocketState::Connected;
    if (state == SocketState::Connected) {
        failure_ = {};
        hindered_.special = terms_ != nullptr || !engine_->isPlain();
    }
    stateChanged(state);
}

void StreamSocket::fail(Failure::What what, SocketError error, int cause) {
    setFailure(what, error, cause);
    errorOccurred(error);
}

std::string StreamSocket::errorString() const { return failure_.sentence(peerText()); }

int StreamSocket::socketDescriptor() const noexcept { return engine_ != nullptr ? engine_->descriptor() : -1; }

bool StreamSocket::hasPeer() const noexcept {
    return state_ == SocketState::Connected || state_ == SocketState::Closing || inFarewell_;
}

} // namespace halyard
