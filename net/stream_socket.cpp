#include <halyard/net/stream_socket.h>

#include "native_engine.h"

#include <halyard/core/log.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace halyard {

StreamSocket::StreamSocket(Object* parent) : Object(parent) {}

StreamSocket::~StreamSocket() = default;

// --- beginning ---

void StreamSocket::begin() {
    ++connection_;
    input_.clear();
    output_.clear();
    unreported_ = 0;
    failure_ = {};
    cause_ = 0;
    suspended_ = leaving_ = sendBlocked_ = peerHasEnded_ = false;
    engine_ = std::make_unique<NativeEngine>(static_cast<EngineClient&>(*this));
}

bool StreamSocket::mayConnect() {
    if (!isOnItsThread("connecting a socket"))
        return false;
    if (state_ == SocketState::Unconnected)
        return true;
    logMessage(LogLevel::Warning, "halyard.net", "connecting a socket: it is in use already");
    fail(Failure::What::Busy, SocketError::Operation, 0);
    return false;
}

void StreamSocket::connecting(int result) {
    cause_ = result;
    if (cause_ == EINPROGRESS)
        cause_ = engine_->observe(readiness::Writable);
    else
        engine_->schedule(); // whichever it is, it is told from the loop
    setState(SocketState::Connecting);
}

void StreamSocket::finishConnecting() {
    if (cause_ == 0)
        cause_ = engine_->finishConnect();
    if (cause_ == EINPROGRESS) {
        cause_ = 0;
        return;
    }
    if (cause_ == 0)
        cause_ = engine_->observe(readiness::Readable);
    if (cause_ != 0) {
        failConnecting(std::exchange(cause_, 0));
        return;
    }
    const Still still(*this);
    setState(SocketState::Connected);
    if (still && state_ == SocketState::Connected)
        connected();
    if (!still)
        return;
    if (mayTransmit() && !output_.empty())
        engine_->scheduleSlotReturned();
    if (leaving_ && state_ == SocketState::Connected)
        leave();
}

void StreamSocket::failConnecting(int cause) {
    engine_.reset();
    output_.clear();
    const Still still(*this);
    setState(SocketState::Unconnected);
    if (still && state_ == SocketState::Unconnected)
        fail(Failure::What::Connect, socketErrorFromErrno(cause), cause);
}

bool StreamSocket::setSocketDescriptor(int descriptor, SocketState state) {
    if (!isOnItsThread("setSocketDescriptor() of a socket"))
        return false;
    const auto refused = [this](Failure::What what, SocketError error, int cause) {
        failure_ = {cause, error, what};
        logMessage(LogLevel::Warning, "halyard.net", "setSocketDescriptor() of a socket: " + errorString());
        return false;
    };
    if (state_ != SocketState::Unconnected || state != SocketState::Connected)
        return refused(Failure::What::Busy, SocketError::Operation, 0);
    int type = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return refused(Failure::What::Descriptor, SocketError::UnsupportedSocketOperation, errno);
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (type != SOCK_STREAM || ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return refused(Failure::What::Descriptor, SocketError::UnsupportedSocketOperation,
                       type != SOCK_STREAM ? EPROTOTYPE : errno);
    begin();
    peerFound(reinterpret_cast<const sockaddr&>(name));
    engine_->adopt(descriptor);
    if (const int error = engine_->observe(readiness::Readable); error != 0) {
        engine_->release();
        engine_.reset();
        return refused(Failure::What::Descriptor, socketErrorFromErrno(error), error);
    }
    setState(SocketState::Connected);
    return true;
}

void StreamSocket::beginAccepted(int descriptor) {
    begin();
    engine_->adopt(descriptor);
    suspended_ = true;
    state_ = SocketState::Connected;
}

void StreamSocket::suspendReading() {
    suspended_ = true;
    observe();
}

void StreamSocket::startReading() {
    suspended_ = false;
    observe();
}

// --- what the loop tells ---

void StreamSocket::engineReady(std::uint32_t ready) {
    // Nearly always: there is something to read and nothing else to do.
    if (ready == readiness::Readable && state_ == SocketState::Connected && unreported_ == 0) {
        receive();
        return;
    }
    if (state_ == SocketState::Connecting) {
        finishConnecting();
        return;
    }
    const Still still(*this);
    if (sendBlocked_ && (ready & (readiness::Writable | readiness::Error)) != 0)
        transmitQueued();
    if (unreported_ != 0) {
        reportWritten();
        if (!still)
            return;
    }
    if (state_ == SocketState::Closing) {
        if (cause_ != 0)
            peerEnded(cause_);
        else if (output_.empty())
            finish(false);
    } else if (state_ == SocketState::Connected && ((ready & ~readiness::Writable) != 0 || cause_ != 0)) {
        receive();
    }
    if (still && (ready & readiness::Error) != 0)
        observe(); // libuv watches no longer, and there may be more to come
}

void StreamSocket::receive() {
    if (suspended_ || peerHasEnded_ || isFull()) {
        if (cause_ != 0)
            peerEnded(cause_);
        else
            observe();
        return;
    }
    std::span<std::byte> room = input_.reserve();
    if (inputLimit_ != 0)
        room = room.first(std::min(room.size(), inputLimit_ - input_.size()));
    const std::ptrdiff_t received = engine_->receive(room);
    input_.commit(static_cast<std::size_t>(std::max<std::ptrdiff_t>(received, 0)));
    if (received > 0) {
        ++receptions_;
        if (!inReadyRead_)
            tellReadyRead();
        else if (isFull())
            observe();
    } else if (received == 0 || cause_ != 0) {
        peerEnded(cause_);
    } else if (received != -EAGAIN) {
        peerEnded(static_cast<int>(-received));
    }
}

void StreamSocket::tellReadyRead() {
    struct Telling {
        explicit Telling(StreamSocket& socket) noexcept : self(&socket) { socket.inReadyRead_ = true; }
        Telling(const Telling&) = delete;
        Telling& operator=(const Telling&) = delete;
        ~Telling() {
            if (self)
                self->inReadyRead_ = false;
        }
        Pointer<StreamSocket> self;
    } const telling(*this);
    readyRead();
    if (!telling.self)
        return;
    input_.shrink();
    if (isFull())
        observe();
}

/// The peer has closed (cause 0), or the connection broke.
void StreamSocket::peerEnded(int cause) {
    peerHasEnded_ = true;
    cause_ = 0;
    if (cause != 0) {
        output_.clear();
        sendBlocked_ = false;
    }
    const SocketState before = state_;
    const Still still(*this);
    fail(cause == 0 ? Failure::What::Closed : Failure::What::Connection,
         cause == 0 ? SocketError::RemoteHostClosed : socketErrorFromErrno(cause), cause);
    if (still && state_ == before)
        leave();
}

// --- ending ---

void StreamSocket::disconnectFromHost() {
    if (!isOnItsThread("disconnectFromHost() of a socket"))
        return;
    if (state_ == SocketState::HostLookup || state_ == SocketState::Connecting)
        leaving_ = true;
    else if (state_ == SocketState::Connected)
        leave();
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
    input_.clear();
    output_.clear();
    if (state_ != SocketState::Unconnected)
        finish(true);
}

/// Closing: what is queued goes out first.
void StreamSocket::leave() {
    leaving_ = true;
    const Still still(*this);
    setState(SocketState::Closing);
    if (!still || state_ != SocketState::Closing)
        return;
    if (output_.empty())
        finish(false);
    else if (sendBlocked_)
        observe(); // else the slot has not returned yet, and what it wrote goes out when it has
}

void StreamSocket::finish(bool reset) {
    const Still still(*this);
    if (unreported_ != 0) {
        const SocketState before = state_;
        reportWritten();
        if (!still || state_ != before)
            return;
    }
    const bool wasConnected = state_ == SocketState::Connected || state_ == SocketState::Closing;
    if (wasConnected && !reset && !peerHasEnded_) {
        // Closing over unread input resets the connection, and the peer could lose what it has not read yet (RFC 2525,
        // section 2.17). A peer that never stops sending is not waited for.
        std::array<std::byte, 16 * 1024> unwanted;
        for (int rounds = 0; rounds != 16 && engine_->receive(unwanted) > 0; ++rounds) {
        }
    }
    engine_->close(reset);
    engine_.reset();
    output_.clear();
    sendBlocked_ = leaving_ = false;
    const Pointer<StreamSocket> self(this);
    inFarewell_ = true;
    setState(SocketState::Unconnected);
    if (self)
        readChannelFinished();
    if (self && wasConnected)
        disconnected();
    if (self)
        inFarewell_ = false;
}

// --- what to watch for ---

std::uint32_t StreamSocket::interest() const noexcept {
    std::uint32_t wanted = readiness::None;
    if (state_ == SocketState::Connecting || sendBlocked_)
        wanted |= readiness::Writable;
    if (state_ == SocketState::Connected && !suspended_ && !peerHasEnded_ && !isFull())
        wanted |= readiness::Readable;
    return wanted;
}

void StreamSocket::observe() {
    if (engine_ == nullptr)
        return;
    if (const int error = engine_->observe(interest()); error != 0) {
        cause_ = error;
        engine_->schedule();
    }
}

// --- what it is ---

void StreamSocket::setState(SocketState state) {
    if (state == state_)
        return;
    state_ = state;
    if (state == SocketState::Connected)
        failure_ = {};
    stateChanged(state);
}

void StreamSocket::fail(Failure::What what, SocketError error, int cause) {
    failure_ = {cause, error, what};
    errorOccurred(error);
}

std::string StreamSocket::errorString() const {
    const std::string cause = std::generic_category().message(failure_.cause);
    switch (failure_.what) {
    case Failure::What::Nothing:
        break;
    case Failure::What::Connect:
        return "cannot connect to " + peerText() + ": " + cause;
    case Failure::What::Connection:
        return "the connection to " + peerText() + " broke: " + cause;
    case Failure::What::Closed:
        return peerText() + " closed the connection";
    case Failure::What::NotConnected:
        return "the socket is not connected";
    case Failure::What::Busy:
        return "the socket is in use already, in state " + std::string(nameOf(state_));
    case Failure::What::Descriptor:
        return "this descriptor is no connected stream socket: " + cause;
    case Failure::What::Timeout:
        return "the time to wait is over";
    }
    return {};
}

int StreamSocket::socketDescriptor() const noexcept { return engine_ != nullptr ? engine_->descriptor() : -1; }

bool StreamSocket::hasPeer() const noexcept {
    return state_ == SocketState::Connected || state_ == SocketState::Closing || inFarewell_;
}

} // namespace halyard
