#include <halyard/net/tcp_server.h>

#include "accept_error.h"
#include "native_engine.h"

#include <halyard/core/clock.h>
#include <halyard/core/log.h>
#include <halyard/net/tcp_socket.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <sys/socket.h>

namespace halyard {

namespace {

using namespace std::chrono_literals;

// Connections that are already served get their turn at the latest after so many new ones.
constexpr int acceptBudget = 64;

constexpr auto firstRetry = 100ms;
constexpr auto lastRetry = 1000ms;

} // namespace

TcpServer::TcpServer(Object* parent) : Object(parent) {}

TcpServer::~TcpServer() { close(); }

void TcpServer::setError(SocketError error, std::string text) {
    error_ = error;
    errorText_ = std::move(text);
}

bool TcpServer::listen(const HostAddress& address, std::uint16_t port) {
    if (!isOnItsThread("TcpServer::listen()"))
        return false;
    if (isListening()) {
        logMessage(LogLevel::Warning, "halyard.net", "TcpServer::listen(): the server listens already");
        return false;
    }
    local_ = {address.isNull() ? HostAddress(HostAddress::AnyIPv4) : address, port};
    auto engine = std::make_unique<NativeEngine>(static_cast<EngineClient&>(*this));
    int error = engine->listenAt(local_, backlog_, reusePort_);
    if (error == 0)
        error = engine->observe(readiness::Readable);
    if (error != 0) {
        setError(socketErrorFromErrno(error),
                 "cannot listen at " + local_.toString() + ": " + std::generic_category().message(error));
        return false;
    }
    startListening(std::move(engine));
    return true;
}

bool TcpServer::setSocketDescriptor(int descriptor) {
    if (!isOnItsThread("TcpServer::setSocketDescriptor()"))
        return false;
    if (isListening()) {
        logMessage(LogLevel::Warning, "halyard.net", "TcpServer::setSocketDescriptor(): the server listens already");
        return false;
    }
    const auto refuse = [this, descriptor](const std::string& reason) {
        setError(SocketError::UnsupportedSocketOperation,
                 "cannot listen with descriptor " + std::to_string(descriptor) + ": " + reason);
        return false;
    };
    int type = 0;
    int accepts = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return refuse(std::generic_category().message(errno));
    if (type != SOCK_STREAM)
        return refuse("it is no stream socket");
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) != 0 || accepts == 0)
        return refuse("it does not listen");
    auto engine = std::make_unique<NativeEngine>(static_cast<EngineClient&>(*this));
    engine->adopt(descriptor);
    local_ = engine->local();
    if (const int error = engine->observe(readiness::Readable); error != 0) {
        engine->release();
        return refuse(std::generic_category().message(error));
    }
    startListening(std::move(engine));
    return true;
}

void TcpServer::startListening(std::unique_ptr<SocketEngine> engine) {
    ++listening_;
    engine_ = std::move(engine);
    setError(SocketError::None, {});
    observe();
}

void TcpServer::close() {
    engine_.reset();
    pausedByUser_ = false;
    endErrorEpisode();
    // One at a time: their ends may run slots that look here.
    while (!pending_.empty()) {
        TcpSocket* const socket = pending_.front().get();
        pending_.pop_front();
        delete socket;
    }
}

HostAddress TcpServer::serverAddress() const { return isListening() ? local_.address : HostAddress(); }

std::uint16_t TcpServer::serverPort() const { return isListening() ? engine_->local().port : std::uint16_t{0}; }

int TcpServer::socketDescriptor() const noexcept { return isListening() ? engine_->descriptor() : -1; }

// --- accepting ---

/// Forgets who died while waiting: at the front at once, behind it when they would be counted.
bool TcpServer::hasRoom() const {
    const auto limit = static_cast<std::size_t>(std::max(maxPending_, 0));
    if (pending_.size() >= limit)
        std::erase(pending_, nullptr);
    return pending_.size() < limit;
}

void TcpServer::observe() {
    if (!isListening())
        return;
    const bool accepting = !pausedByUser_ && !pausedByError_ && hasRoom();
    engine_->setInterest(accepting ? readiness::Readable : readiness::None);
}

void TcpServer::engineReady(std::uint32_t) {
    if (pausedByUser_ || pausedByError_)
        observe();
    else
        acceptSome();
}

/// Accepts what waits, as far as there is room and the budget goes. What is left is reported again.
void TcpServer::acceptSome() {
    const Pointer<TcpServer> self(this);
    const std::uint32_t listening = listening_;
    for (int budget = acceptBudget; budget != 0 && hasRoom(); --budget) {
        Endpoint peer;
        const int accepted = engine_->accept(peer);
        if (accepted < 0) {
            if (acceptFailed(-accepted))
                continue;
            return;
        }
        ++arrivals_;
        if (inErrorEpisode_)
            endErrorEpisode();
        incoming_ = accepted;
        incomingPeer_ = peer;
        incomingConnection(accepted);
        if (!self)
            return;
        incoming_ = -1;
        newConnection();
        if (!self || !isListening() || listening != listening_)
            return;
        if (pausedByUser_)
            break;
    }
    observe();
}

/// True where the next client may be well.
bool TcpServer::acceptFailed(int cause) {
    switch (sortAcceptError(cause)) {
    case AcceptOutcome::Empty: // which the system says only where it would have had a descriptor
        if (inErrorEpisode_) {
            endErrorEpisode();
            observe();
        }
        return false;
    case AcceptOutcome::OneClient:
        return true;
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
    if (std::exchange(inErrorEpisode_, true))
        return false;
    setError(socketErrorFromErrno(cause),
             "cannot accept at " + local_.toString() + ": " + std::generic_category().message(cause));
    logMessage(LogLevel::Warning, "halyard.net", errorText_);
    acceptError(error_);
    return false;
}

void TcpServer::endErrorEpisode() {
    retry_.disarm();
    pausedByError_ = inErrorEpisode_ = false;
    retryAfter_ = 0ms;
}

void TcpServer::endErrorPause() {
    pausedByError_ = false;
    observe();
}

void TcpServer::pauseAccepting() {
    if (!isListening())
        return;
    pausedByUser_ = true;
    observe();
}

void TcpServer::resumeAccepting() {
    pausedByUser_ = false;
    retry_.disarm();
    endErrorPause();
}

void TcpServer::incomingConnection(int socketDescriptor) {
    auto* const socket = new TcpSocket(this);
    socket->beginAccepted(socketDescriptor, socketDescriptor == incoming_ ? incomingPeer_ : Endpoint());
    addPendingConnection(socket);
}

void TcpServer::addPendingConnection(TcpSocket* socket) {
    if (socket == nullptr) {
        logMessage(LogLevel::Warning, "halyard.net", "TcpServer::addPendingConnection(): there is no socket");
        return;
    }
    socket->suspendReading();
    pending_.emplace_back(socket);
    pendingConnectionAvailable();
}

bool TcpServer::hasPendingConnections() const {
    while (!pending_.empty() && !pending_.front())
        pending_.pop_front();
    return !pending_.empty();
}

TcpSocket* TcpServer::nextPendingConnection() {
    if (!TcpServer::hasPendingConnections())
        return nullptr;
    TcpSocket* const socket = pending_.front().get();
    pending_.pop_front();
    observe();
    socket->startReading();
    return socket;
}

void TcpServer::setMaxPendingConnections(int count) {
    maxPending_ = count;
    observe();
}

// --- waiting ---

bool TcpServer::waitForNewConnection(int msec, bool* timedOut) {
    bool timeIsOver = false;
    if (timedOut == nullptr)
        timedOut = &timeIsOver;
    *timedOut = false;
    if (!isOnItsThread("TcpServer::waitForNewConnection()"))
        return false;
    const Pointer<TcpServer> self(this);
    std::optional<SocketEngine::Time> until;
    if (msec >= 0)
        until = WaitClock::after(std::chrono::milliseconds(msec));
    std::optional<SocketEngine::Time> retry; // while the system is exhausted
    for (;;) {
        if (hasPendingConnections())
            return true;
        if (!isListening() || !hasRoom())
            return false;
        const auto next = retry && (!until || *retry < *until) ? retry : until;
        int error = 0;
        const bool came = engine_->wait(retry ? readiness::None : readiness::Readable, next, &error) != readiness::None;
        if (error != 0) {
            setError(socketErrorFromErrno(error),
                     "cannot wait for a client: " + std::generic_category().message(error));
            return false;
        }
        const std::uint32_t before = arrivals_;
        if (came || retry) {
            const DispatchScope asInTheLoop;
            acceptSome();
        }
        if (!self)
            return false;
        if (arrivals_ != before)
            return hasPendingConnections();
        const bool isExhausted = pausedByError_ && retryAfter_ != 0ms;
        if (pausedByError_ && !isExhausted)
            return false;
        if (!came && next == until) {
            *timedOut = true;
            setError(SocketError::SocketTimeout,
                     "no client came to " + local_.toString() + " in time" +
                         (isExhausted ? ": " + std::generic_category().message(acceptCause_) : std::string()));
            return false;
        }
        retry = isExhausted ? std::optional(WaitClock::now() + retryAfter_) : std::nullopt;
    }
}

void TcpServer::leavingThread() {
    retry_.leaveLoop();
    if (engine_ != nullptr)
        engine_->leaveLoop();
}

void TcpServer::enteredThread() {
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
