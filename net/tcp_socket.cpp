#include <halyard/net/tcp_socket.h>

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

TcpSocket::TcpSocket(Object* parent) : Object(parent) {}

TcpSocket::~TcpSocket() = default;

// --- beginning ---

/// Forgets the connection before, makes the engine of the next.
void TcpSocket::begin(const Endpoint& peer) {
    ++connection_;
    input_.clear();
    output_.clear();
    unreported_ = 0;
    failure_ = {};
    cause_ = 0;
    peer_ = peer;
    suspended_ = leaving_ = sendBlocked_ = peerHasEnded_ = false;
    engine_ = std::make_unique<NativeEngine>(static_cast<EngineClient&>(*this));
}

void TcpSocket::connectToHost(const HostAddress& address, std::uint16_t port) {
    if (!isOnItsThread("TcpSocket::connectToHost()"))
        return;
    if (state_ != SocketState::Unconnected) {
        logMessage(LogLevel::Warning, "halyard.net", "TcpSocket::connectToHost(): the socket is in use already");
        fail(Failure::What::Busy, SocketError::Operation, 0);
        return;
    }
    begin({address, port});
    const Still still(*this);
    setState(SocketState::HostLookup);
    if (!still || state_ != SocketState::HostLookup)
        return;
    cause_ = engine_->connectTo(peer_);
    if (cause_ == EINPROGRESS)
        cause_ = engine_->observe(readiness::Writable);
    else
        engine_->schedule(); // whichever it is, it is told from the loop
    setState(SocketState::Connecting);
    if (still && state_ == SocketState::Connecting)
        hostFound();
}

void TcpSocket::finishConnecting() {
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

void TcpSocket::failConnecting(int cause) {
    engine_.reset();
    output_.clear();
    const Still still(*this);
    setState(SocketState::Unconnected);
    if (still && state_ == SocketState::Unconnected)
        fail(Failure::What::Connect, socketErrorFromErrno(cause), cause);
}

bool TcpSocket::setSocketDescriptor(int descriptor, SocketState state) {
    if (!isOnItsThread("TcpSocket::setSocketDescriptor()"))
        return false;
    const auto refused = [this](Failure::What what, SocketError error, int cause) {
        failure_ = {cause, error, what};
        logMessage(LogLevel::Warning, "halyard.net", "TcpSocket::setSocketDescriptor(): " + errorString());
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
    const auto* const address = reinterpret_cast<const sockaddr*>(&name);
    begin({HostAddress(address), HostAddress::portOf(address)});
    engine_->adopt(descriptor);
    if (const int error = engine_->observe(readiness::Readable); error != 0) {
        engine_->release();
        engine_.reset();
        return refused(Failure::What::Descriptor, socketErrorFromErrno(error), error);
    }
    setState(SocketState::Connected);
    return true;
}

void TcpSocket::adoptAccepted(int descriptor, const Endpoint& peer) {
    begin(peer);
    engine_->adopt(descriptor);
    suspended_ = true;
    state_ = SocketState::Connected;
}

void TcpSocket::suspend() {
    suspended_ = true;
    observe();
}

void TcpSocket::startReading() {
    suspended_ = false;
    observe();
}

// --- what the loop tells ---

void TcpSocket::engineReady(std::uint32_t ready) {
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

void TcpSocket::receive() {
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

void TcpSocket::tellReadyRead() {
    struct Telling {
        explicit Telling(TcpSocket& socket) noexcept : self(&socket) { socket.inReadyRead_ = true; }
        Telling(const Telling&) = delete;
        Telling& operator=(const Telling&) = delete;
        ~Telling() {
            if (self)
                self->inReadyRead_ = false;
        }
        Pointer<TcpSocket> self;
    } const telling(*this);
    readyRead();
    if (!telling.self)
        return;
    input_.shrink();
    if (isFull())
        observe();
}

/// The peer has closed (cause 0), or the connection broke.
void TcpSocket::peerEnded(int cause) {
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

void TcpSocket::disconnectFromHost() {
    if (!isOnItsThread("TcpSocket::disconnectFromHost()"))
        return;
    if (state_ == SocketState::HostLookup || state_ == SocketState::Connecting)
        leaving_ = true;
    else if (state_ == SocketState::Connected)
        leave();
}

void TcpSocket::close() {
    if (!isOnItsThread("TcpSocket::close()"))
        return;
    input_.clear();
    disconnectFromHost();
}

void TcpSocket::abort() {
    if (!isOnItsThread("TcpSocket::abort()"))
        return;
    input_.clear();
    output_.clear();
    if (state_ != SocketState::Unconnected)
        finish(true);
}

/// Closing: what is queued goes out first.
void TcpSocket::leave() {
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

void TcpSocket::finish(bool reset) {
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
    const Pointer<TcpSocket> self(this);
    inFarewell_ = true;
    setState(SocketState::Unconnected);
    if (self)
        readChannelFinished();
    if (self && wasConnected)
        disconnected();
    if (self)
        inFarewell_ = false;
}

// --- reading ---

/// After the user took something: a full buffer has room again.
void TcpSocket::taken() {
    if (inputLimit_ != 0)
        observe();
}

std::string TcpSocket::readAll() {
    std::string bytes = input_.takeAll();
    taken();
    return bytes;
}

std::string TcpSocket::read(std::size_t max) {
    std::string bytes = input_.take(max);
    taken();
    return bytes;
}

std::ptrdiff_t TcpSocket::read(std::span<std::byte> into) {
    const std::size_t count = input_.take(into);
    taken();
    if (count == 0 && !into.empty() && state_ == SocketState::Unconnected)
        return -1;
    return static_cast<std::ptrdiff_t>(count);
}

bool TcpSocket::canReadLine() const noexcept { return input_.find('\n') != input_.size(); }

std::string TcpSocket::readLine(std::size_t max) {
    const std::size_t line = std::min(input_.find('\n') + 1, input_.size());
    return read(max == 0 ? line : std::min(line, max));
}

std::size_t TcpSocket::skip(std::size_t bytes) {
    const std::size_t count = input_.skip(bytes);
    taken();
    return count;
}

void TcpSocket::setReadBufferSize(std::size_t bytes) {
    inputLimit_ = bytes;
    observe();
}

// --- writing ---

bool TcpSocket::mayWrite() {
    if (!isOnItsThread("TcpSocket::write()"))
        return false;
    if (state_ == SocketState::Unconnected || (leaving_ && peerHasEnded_)) {
        failure_ = {0, SocketError::Operation, Failure::What::NotConnected};
        logMessage(LogLevel::Warning, "halyard.net", "TcpSocket::write(): the socket is not connected");
        return false;
    }
    return true;
}

bool TcpSocket::mayTransmit() const noexcept {
    return (state_ == SocketState::Connected || state_ == SocketState::Closing) && cause_ == 0;
}

std::ptrdiff_t TcpSocket::write(std::string_view data) {
    if (!mayWrite())
        return -1;
    const auto size = static_cast<std::ptrdiff_t>(data.size());
    const bool wasEmpty = output_.empty();
    if (wasEmpty && !data.empty() && mayTransmit()) {
        if (engine_->inDispatch()) {
            engine_->scheduleSlotReturned();
        } else {
            const iovec bytes{const_cast<char*>(data.data()), data.size()};
            data.remove_prefix(transmit({&bytes, 1}));
            engine_->schedule(); // bytesWritten, or the end of the connection
            if (cause_ != 0)
                return size;
            sendBlocked_ = !data.empty();
            output_.append(data);
            if (sendBlocked_)
                observe();
            return size;
        }
    }
    output_.append(data);
    return size;
}

std::ptrdiff_t TcpSocket::writeOwned(std::string& owned) {
    if (engine_ != nullptr && engine_->inDispatch() && mayWrite()) {
        const auto size = static_cast<std::ptrdiff_t>(owned.size());
        if (output_.empty() && size != 0 && mayTransmit())
            engine_->scheduleSlotReturned();
        output_.adopt(std::move(owned));
        return size;
    }
    return write(std::string_view(owned));
}

/// How many of the bytes the kernel took.
std::size_t TcpSocket::transmit(std::span<const iovec> bytes) noexcept {
    const std::ptrdiff_t sent = engine_->send(bytes);
    if (sent >= 0) {
        unreported_ += static_cast<std::size_t>(sent);
        return static_cast<std::size_t>(sent);
    }
    if (sent != -EAGAIN) {
        // What the peer sent before it broke the connection is still to be read: the loop tells of the end after that.
        cause_ = static_cast<int>(-sent);
        output_.clear();
    }
    return 0;
}

void TcpSocket::transmitQueued() noexcept {
    const bool wasBlocked = sendBlocked_;
    sendBlocked_ = false;
    while (!output_.empty() && !sendBlocked_ && cause_ == 0) {
        std::array<iovec, 64> vectors;
        std::size_t count = 1;
        if (output_.isOnePiece())
            vectors[0] = {const_cast<char*>(output_.front().data()), output_.size()};
        else
            count = static_cast<std::size_t>(output_.gather(vectors));
        std::size_t offered = 0;
        for (std::size_t i = 0; i != count; ++i)
            offered += vectors[i].iov_len;
        const std::size_t sent = transmit(std::span(vectors).first(count));
        output_.skip(sent);
        sendBlocked_ = sent < offered && cause_ == 0;
    }
    if (sendBlocked_ != wasBlocked)
        observe();
}

void TcpSocket::engineSlotReturned() noexcept {
    if (engine_ == nullptr || !mayTransmit() || output_.empty() || sendBlocked_)
        return;
    transmitQueued();
    // Whoever wants to hear of it has connected by now: without that, a message costs no turn of its own.
    if (bytesWritten.connectionCount() == 0)
        unreported_ = 0;
    if (unreported_ != 0 || cause_ != 0 || (leaving_ && output_.empty()))
        engine_->schedule();
}

void TcpSocket::reportWritten() {
    ++reports_;
    bytesWritten(static_cast<std::int64_t>(std::exchange(unreported_, 0)));
}

bool TcpSocket::flush() {
    if (engine_ == nullptr || !mayTransmit())
        return false;
    const std::size_t before = unreported_;
    transmitQueued();
    if (cause_ != 0 || (leaving_ && output_.empty()))
        engine_->schedule();
    if (unreported_ == before)
        return false;
    reportWritten();
    return true;
}

// --- what to watch for ---

std::uint32_t TcpSocket::interest() const noexcept {
    std::uint32_t wanted = readiness::None;
    if (state_ == SocketState::Connecting || sendBlocked_)
        wanted |= readiness::Writable;
    if (state_ == SocketState::Connected && !suspended_ && !peerHasEnded_ && !isFull())
        wanted |= readiness::Readable;
    return wanted;
}

void TcpSocket::observe() {
    if (engine_ == nullptr)
        return;
    if (const int error = engine_->observe(interest()); error != 0) {
        cause_ = error;
        engine_->schedule();
    }
}

// --- what it is ---

void TcpSocket::setState(SocketState state) {
    if (state == state_)
        return;
    state_ = state;
    if (state == SocketState::Connected)
        failure_ = {};
    stateChanged(state);
}

void TcpSocket::fail(Failure::What what, SocketError error, int cause) {
    failure_ = {cause, error, what};
    errorOccurred(error);
}

std::string TcpSocket::errorString() const {
    const std::string cause = std::generic_category().message(failure_.cause);
    switch (failure_.what) {
    case Failure::What::Nothing:
        break;
    case Failure::What::Connect:
        return "cannot connect to " + peer_.toString() + ": " + cause;
    case Failure::What::Connection:
        return "the connection to " + peer_.toString() + " broke: " + cause;
    case Failure::What::Closed:
        return peer_.toString() + " closed the connection";
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

int TcpSocket::socketDescriptor() const noexcept { return engine_ != nullptr ? engine_->descriptor() : -1; }

HostAddress TcpSocket::localAddress() const { return engine_ != nullptr ? engine_->local().address : HostAddress(); }

std::uint16_t TcpSocket::localPort() const { return engine_ != nullptr ? engine_->local().port : std::uint16_t{0}; }

bool TcpSocket::hasPeer() const noexcept {
    return state_ == SocketState::Connected || state_ == SocketState::Closing || inFarewell_;
}

HostAddress TcpSocket::peerAddress() const { return hasPeer() ? peer_.address : HostAddress(); }

std::uint16_t TcpSocket::peerPort() const { return hasPeer() ? peer_.port : std::uint16_t{0}; }

} // namespace halyard
