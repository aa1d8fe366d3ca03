#include <halyard/net/stream_server.h>

#include "accept_error.h"
#include "admit.h"
#include "emissions.h"
#include "engine_failure.h"
#include "native_engine.h"

#include <halyard/core/log.h>
#include <halyard/net/stream_socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace halyard {

namespace {

using namespace std::chrono_literals;

// Connections that are already served get their turn at the latest after so many new ones.
constexpr int acceptBudget = 64;

constexpr auto firstRetry = 100ms;
constexpr auto lastRetry = 1000ms;

std::string messageOf(int error) { return std::generic_category().message(error); }

} // namespace

StreamServer::StreamServer(Object* parent) : Object(parent) {}

StreamServer::~StreamServer() {
    if (limits_ != nullptr)
        limits_->forget(*this);
    shut();
}

void StreamServer::setError(SocketError error, std::string text) {
    error_ = error;
    errorText_ = std::move(text);
}

void StreamServer::setError(const SocketEngine& engine, const char* failedTo, int cause) {
    const EngineFailure* const known = engine.failure();
    setError(known != nullptr ? known->error : socketErrorFromErrno(cause),
             failedTo + localText() + ": " + (known != nullptr ? known->reason : messageOf(cause)));
}

std::string StreamServer::errorString() const {
    if (error_ != SocketError::SocketTimeout)
        return errorText_;
    return "no client came to " + localText() + " in time" + (errorText_.empty() ? "" : ": " + errorText_);
}

// --- listening ---

bool StreamServer::isFree(std::string_view call) const {
    if (!isOnItsThread(call))
        return false;
    if (!isListening())
        return true;
    logMessage(LogLevel::Warning, "halyard.net", std::string(call).append(": the server listens already"));
    return false;
}

bool StreamServer::start(std::unique_ptr<SocketEngine> engine, int result) {
    if (result == 0)
        result = engine->observe(readiness::Readable);
    if (result != 0) {
        setError(*engine, "cannot listen at ", result);
        return false;
    }
    ++listening_;
    engine_ = std::move(engine);
    setError(SocketError::None, {});
    observe();
    return true;
}

bool StreamServer::setSocketDescriptor(int descriptor) {
    if (!isFree("setSocketDescriptor() of a server"))
        return false;
    const auto refuse = [this, descriptor](const std::string& reason) {
        setError(SocketError::UnsupportedSocketOperation,
                 "cannot listen with descriptor " + std::to_string(descriptor) + ": " + reason);
        return false;
    };
    int type = 0;
    int accepts = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return refuse(messageOf(errno));
    if (type != SOCK_STREAM)
        return refuse("it is no stream socket");
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) != 0 || accepts == 0)
        return refuse("it does not listen");
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &length) != 0)
        return refuse(messageOf(errno));
    if (!adopts(reinterpret_cast<const sockaddr&>(name), length))
        return refuse("it listens for another kind of connections");
    auto engine = std::make_unique<NativeEngine>(engineClient());
    engine->adopt(descriptor);
    if (const int error = engine->watch(descriptor, readiness::Readable); error != 0) {
        engine->release();
        return refuse(messageOf(error));
    }
    return start(std::move(engine), 0);
}

void StreamServer::close() {
    if (isOnItsThread("close() of a server"))
        shut();
}

void StreamServer::endListening() {
    engine_.reset();
    pausedByUser_ = false;
    endErrorEpisode();
}

void StreamServer::shut() {
    endListening();
    const Pointer<StreamServer> self(this);
    // One at a time: their ends may run slots that look here, or delete the server.
    while (self && !pending_.empty()) {
        StreamSocket* const socket = pending_.front().get();
        pending_.pop_front();
        delete socket;
    }
}

int StreamServer::releaseDescriptor() {
    if (!isOnItsThread("releaseDescriptor() of a server") || !isListening())
        return -1;
    const int descriptor = engine_->release();
    shut();
    return descriptor;
}

int StreamServer::socketDescriptor() const noexcept { return isListening() ? engine_->descriptor() : -1; }

// --- accepting ---

/// Forgets who died while waiting: at the front at once, behind it when they would be counted.
bool StreamServer::hasRoom() const {
    const auto limit = static_cast<std::size_t>(std::max(maxPending_, 0));
    if (pending_.size() >= limit)
        std::erase(pending_, nullptr);
    return pending_.size() < limit;
}

AcceptState StreamServer::acceptState() const {
    if (!isListening())
        return AcceptState::Closed;
    if (pausedByUser_)
        return AcceptState::PausedByUser;
    if (pausedByError_)
        return AcceptState::PausedByError;
    return hasRoom() && !isLimited() ? AcceptState::Running : AcceptState::Full;
}

void StreamServer::observe() {
    if (!isListening())
        return;
    const std::uint32_t wanted = acceptState() == AcceptState::Running ? readiness::Readable : readiness::None;
    const int error = engine_->isWatching() ? engine_->setInterest(wanted) : engine_->observe(wanted);
    if (error != 0)
        retry_.arm(Deadline::Clock::now() + firstRetry); // the kernel has no memory for that now
}

void StreamServer::engineReady(std::uint32_t) {
    if (pausedByUser_ || pausedByError_)
        observe();
    else
        acceptSome();
}

/// Accepts what waits, as far as there is room and the budget goes. What is left is reported again, or, where an
/// exception leaves a slot, looked for again.
void StreamServer::acceptSome() {
    const Pointer<StreamServer> self(this);
    try {
        acceptSome(self);
    } catch (...) {
        if (self) {
            incoming_ = -1;
            permit_.giveBack();
        }
        if (self && isListening())
            engine_->schedule();
        throw;
    }
}

void StreamServer::acceptSome(const Pointer<StreamServer>& self) {
    const std::uint32_t listening = listening_;
    for (int budget = acceptBudget; budget != 0 && hasRoom(); --budget) {
        if (limits_ != nullptr && !permits())
            break;
        const int accepted = engine_->accept(peer_);
        if (accepted < 0) {
            if (acceptFailed(-accepted))
                continue;
            return;
        }
        if (inErrorEpisode_) {
            endErrorEpisode();
            setError(SocketError::None, {});
        }
        if (!engine_->isWatching() && engine_->isOver())
            endListening(); // that was its only client
        if (permit_ && !admits(accepted)) {
            if (!self || !isListening() || listening != listening_)
                return;
            continue;
        }
        ++arrivals_;
        incoming_ = accepted;
        const std::uint32_t queued = queued_;
        Emissions emissions;
        emissions.make([&] { incomingConnection(accepted); });
        if (self) {
            incoming_ = -1;
            if (limits_ != nullptr)
                permit_.giveBack(); // unless somebody has taken it
            // Where an exception came before anything was queued, there is nobody to take.
            if (!emissions.haveThrown() || queued_ != queued)
                emissions.make([this] { newConnection(); });
        }
        emissions.end();
        // cppcheck-suppress identicalConditionAfterEarlyExit ; a slot of newConnection may have deleted it
        if (!self || !isListening() || listening != listening_)
            return;
        if (pausedByUser_)
            break;
    }
    observe();
}

/// True where the next client may be well.
bool StreamServer::acceptFailed(int cause) {
    permit_.giveBack();
    switch (sortAcceptError(cause)) {
    case AcceptOutcome::Empty: // which the system says only where it would have had a descriptor
        if (inErrorEpisode_)
            endErrorEpisode();
        observe(); // after an error it is watched no longer
        return false;
    case AcceptOutcome::OneClient:
        return true;
    case AcceptOutcome::Unknown:
        retry_.disarm();
        pausedByError_ = false;
        observe();
        return false;
    case AcceptOutcome::Moved:
        endErrorEpisode();
        setError(SocketError::None, {});
        observe();
        moved();
        return false;
    case AcceptOutcome::Exhausted:
        retryAfter_ = std::clamp<std::chrono::milliseconds>(retryAfter_ * 2, firstRetry, lastRetry);
        retry_.arm(Deadline::Clock::now() + retryAfter_);
        break;
    case AcceptOutcome::Fatal:
        retryAfter_ = 0ms;
        break;
    }
    pausedByError_ = true;
    acceptCause_ = cause;
    observe();
    const bool isFirst = !std::exchange(inErrorEpisode_, true);
    if (isFirst)
        setError(*engine_, "cannot accept at ", cause);
    if (engine_->isOver())
        endListening();
    if (!isFirst)
        return false;
    // At its limit of descriptors a process has an episode each time that somebody goes and another one comes.
    if (const auto heldBack = episodes_.pass())
        logMessage(LogLevel::Warning, "halyard.net", errorText_ + LogThrottle::text(*heldBack));
    acceptError(error_);
    return false;
}

void StreamServer::endErrorEpisode() {
    retry_.disarm();
    pausedByError_ = inErrorEpisode_ = false;
    retryAfter_ = 0ms;
}

void StreamServer::endErrorPause() {
    pausedByError_ = false;
    observe();
}

void StreamServer::pauseAccepting() {
    if (!isOnItsThread("pauseAccepting() of a server") || !isListening())
        return;
    pausedByUser_ = true;
    observe();
}

void StreamServer::resumeAccepting() {
    if (!isOnItsThread("resumeAccepting() of a server"))
        return;
    pausedByUser_ = false;
    retry_.disarm();
    endErrorPause();
}

// --- limits ---

void StreamServer::setLimits(std::shared_ptr<ConnectionLimits> limits) {
    if (!isOnItsThread("setLimits() of a server"))
        return;
    if (limits_ != nullptr)
        limits_->forget(*this);
    limits_ = std::move(limits);
    isLimited_ = false;
    roomCame_.disconnectAll();
    if (limits_ != nullptr)
        roomCame_.connect(this, &StreamServer::tryAgain, ConnectionType::Queued);
    observe();
}

/// It is told of room once, and has to ask for a permit then, to be told again.
void StreamServer::tryAgain() {
    isLimited_ = false;
    observe();
}

/// Asks anew: what tells that there is room comes by the loop, which a wait does not run.
bool StreamServer::isLimited() const {
    isLimited_ = isLimited_ && !limits_->haveRoom();
    return isLimited_;
}

/// Whether there may be one connection more, which has its place then.
bool StreamServer::permits() {
    permit_ = limits_->permitFor(*this);
    isLimited_ = !permit_;
    return !isLimited_;
}

/// Whether the peer of an accepted connection may have it.
bool StreamServer::admits(int accepted) {
    if (admit(accepted, countedPeer(peer_), permit_))
        return true;
    refused(Endpoint(peer_)); // a slot may wait, and accept others
    return false;
}

// --- the queue ---

void StreamServer::queue(StreamSocket* socket) {
    if (socket == nullptr) {
        logMessage(LogLevel::Warning, "halyard.net", "addPendingConnection() of a server: there is no socket");
        return;
    }
    if (permit_)
        socket->countBy(std::move(permit_));
    socket->suspendReading();
    pending_.emplace_back(socket);
    tellQueued();
}

void StreamServer::queueAccepted(std::unique_ptr<StreamSocket> socket) {
    if (permit_)
        socket->countBy(std::move(permit_));
    pending_.emplace_back(socket.get()); // which may throw: then the connection ends here
    socket.release()->suspendReading();
    tellQueued();
}

void StreamServer::tellQueued() {
    ++queued_;
    Emissions emissions;
    emissions.make([this] { watchPending(); });
    emissions.make([this] { pendingConnectionAvailable(); });
    emissions.end();
}

/// Where no more may wait, the end of one of them makes room too.
void StreamServer::watchPending() {
    if (hasRoom())
        return;
    for (Connection& each : pendingEnds_)
        each.disconnect();
    pendingEnds_.clear();
    for (const Pointer<StreamSocket>& each : pending_)
        if (each)
            pendingEnds_.push_back(each->destroyed.connect(this, &StreamServer::observe));
}

bool StreamServer::hasPendingConnections() const {
    while (!pending_.empty() && !pending_.front())
        pending_.pop_front();
    return !pending_.empty();
}

StreamSocket* StreamServer::nextPendingConnection() {
    if (!isOnItsThread("nextPendingConnection() of a server") || !StreamServer::hasPendingConnections())
        return nullptr;
    StreamSocket* const socket = pending_.front().get();
    pending_.pop_front();
    observe();
    socket->startReading();
    return socket;
}

void StreamServer::setMaxPendingConnections(int count) {
    if (!isOnItsThread("setMaxPendingConnections() of a server"))
        return;
    maxPending_ = count;
    watchPending();
    observe();
}

// --- to another thread ---

void StreamServer::leavingThread() {
    retry_.leaveLoop();
    if (engine_ != nullptr)
        engine_->leaveLoop();
}

void StreamServer::enteredThread() {
    retry_.joinLoop();
    if (engine_ == nullptr)
        return;
    engine_->joinLoop();
    if (const int error = engine_->observe(readiness::Readable); error != 0) {
        setError(socketErrorFromErrno(error), "cannot watch the listening socket in the loop of another thread");
        engine_.reset();
        return;
    }
    observe();
}

} // namespace halyard
