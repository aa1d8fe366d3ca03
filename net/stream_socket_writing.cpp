// The writing half of StreamSocket.
#include <halyard/net/stream_socket.h>

#include "socket_engine.h"
#include "socket_timeouts.h"
#include "unclaimed_descriptor.h"

#include <halyard/core/log.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace halyard {

bool StreamSocket::mayWriteAfterAll(std::string_view call) {
    if (!isOnItsThread(call))
        return false;
    const bool isOpen = state_ != SocketState::Unconnected && state_ != SocketState::Bound;
    if (isOpen && !(hindered_.leaving && hindered_.peerHasEnded) && !hindered_.writeEnds) {
        if (output_.memory() < outputLimit())
            return true;
        setFailure(Failure::What::WriteBufferFull, SocketError::SocketResource); // the peer's doing: no log line
        return false;
    }
    setFailure(hindered_.writeEnds && isOpen ? Failure::What::WritingIsOver : Failure::What::NotConnected,
               SocketError::Operation);
    logMessage(LogLevel::Warning, "halyard.net", std::string(call).append(": ").append(errorString()));
    return false;
}

/// Not behind bytes that were lost.
bool StreamSocket::mayTransmit() const noexcept {
    return (state_ == SocketState::Connected || state_ == SocketState::Closing) && hindered_.cause == 0 && !outputLost_;
}

/// A write that does not answer, in a slot of readyRead, what has just been read.
std::ptrdiff_t StreamSocket::writeAnywhere(std::string_view data) {
    if (!mayWrite("write() to a socket"))
        return -1;
    if (!data.empty() && goesAtOnce())
        return writeThrough(data);
    output_.append(data);
    outputGrew();
    return static_cast<std::ptrdiff_t>(data.size());
}

/// Sends at once; only what the kernel does not take is copied.
std::ptrdiff_t StreamSocket::writeThrough(std::string_view data) {
    const auto size = static_cast<std::ptrdiff_t>(data.size());
    const std::ptrdiff_t sent = engine_->sendPiece(data);
    engine_->schedule(); // bytesWritten, or the end of the connection
    if (sent == size) {
        willReport(data.size());
    } else if (sent < 0 && sent != -EAGAIN) {
        hindered_.cause = static_cast<int>(-sent); // what the peer sent before it broke the connection is told first
        outputLost_ = true;
    } else {
        const auto taken = static_cast<std::size_t>(std::max<std::ptrdiff_t>(sent, 0));
        willReport(taken);
        orLoseOutput([&] { output_.append(data.substr(taken)); }, taken != 0);
        setSendBlocked(true);
        outputGrew();
    }
    return size;
}

/// Where there is no memory for what has to follow bytes that went, nothing may follow them: the connection is over.
template <class Queueing>
void StreamSocket::orLoseOutput(Queueing queueing, bool isInMidst) {
    try {
        queueing();
    } catch (const std::bad_alloc&) {
        if (isInMidst) {
            hindered_.cause = ENOMEM;
            outputLost_ = true;
            engine_->schedule();
        }
        throw;
    }
}

std::ptrdiff_t StreamSocket::writeMoved(std::string& owned) {
    if (!mayWrite("write() to a socket"))
        return -1;
    const auto size = static_cast<std::ptrdiff_t>(owned.size());
    const bool atOnce = goesAtOnce();
    output_.adopt(std::move(owned));
    if (atOnce)
        transmitNow();
    outputGrew();
    return size;
}

std::ptrdiff_t StreamSocket::writeFrom(StreamSocket& source) {
    if (!mayWrite("writeFrom() of a socket"))
        return -1;
    const std::size_t size = source.input_.size();
    const bool atOnce = size != 0 && goesAtOnce();
    output_.append(std::move(source.input_));
    source.taken();
    if (atOnce)
        transmitNow();
    outputGrew();
    return static_cast<std::ptrdiff_t>(size);
}

bool StreamSocket::sendFile(int file, std::int64_t offset, std::size_t length) {
    if (!mayWrite("sendFile() to a socket"))
        return false;
    const auto refused = [this](SocketError error, int cause) {
        setFailure(Failure::What::File, error, cause);
        logMessage(LogLevel::Warning, "halyard.net", "sendFile() to a socket: " + errorString());
        return false;
    };
    struct stat about {};
    const int flags = ::fcntl(file, F_GETFL);
    if (flags < 0 || ::fstat(file, &about) != 0)
        return refused(SocketError::UnsupportedSocketOperation, errno);
    if (!S_ISREG(about.st_mode) || (flags & O_ACCMODE) == O_WRONLY || offset < 0 || offset > about.st_size ||
        length > static_cast<std::size_t>(about.st_size - offset))
        return refused(SocketError::UnsupportedSocketOperation, EINVAL);
    if (length == 0)
        return true;
    const int own = ::fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return refused(SocketError::SocketResource, errno);
    UnclaimedDescriptor unclaimed(own);
    const bool atOnce = goesAtOnce();
    output_.appendFile(own, offset, length);
    unclaimed.claimed();
    if (atOnce)
        transmitNow();
    return true;
}

bool StreamSocket::takesBypassed() const noexcept {
    return state_ == SocketState::Connected && mayTransmit() && !hindered_.writeEnds && engine_->splices() &&
           executor() == Executor::current() && !isArriving_;
}

/// At once, in slots too: who fills the pipe wants to know whether it is empty again.
void StreamSocket::writeFrom(const std::shared_ptr<Pipe>& pipe, std::size_t bytes) {
    const bool wasEmpty = output_.empty();
    orLoseOutput([&] { output_.appendPipe(pipe, bytes); }, true);
    if (wasEmpty)
        transmitNow();
}

void StreamSocket::shutdownWrite() {
    if (!isOnItsThread("shutdownWrite() of a socket"))
        return;
    if (state_ == SocketState::Unconnected || state_ == SocketState::Bound)
        return;
    hindered_.writeEnds = true;
    endWriting();
}

/// Tells the peer of the end of what was written, once all of that has gone.
void StreamSocket::endWriting() noexcept {
    if (!hindered_.writeEnds || writeEnded_ || !output_.empty() || state_ != SocketState::Connected || !mayTransmit())
        return;
    writeEnded_ = true;
    engine_->shutdownSend();
    if (hindered_.peerHasEnded)
        engine_->schedule(); // that was the connection
}

/// Whether what is about to be queued, with nothing before it, is to be sent by whoever queues it: else it goes out
/// when the slot returns. Asked before, because that may throw.
bool StreamSocket::goesAtOnce() {
    if (!output_.empty() || !mayTransmit())
        return false;
    if (!engine_->inDispatch())
        return true;
    engine_->scheduleSlotReturned();
    return false;
}

void StreamSocket::transmitNow() noexcept {
    transmitQueued();
    engine_->schedule(); // bytesWritten, or the end of the connection
}

void StreamSocket::transmitQueued() noexcept {
    int error = 0;
    const std::size_t sent = output_.sendTo(*engine_, error);
    transmitted(sent, error);
}

/// So many bytes went; then it was `error` that ended it.
void StreamSocket::transmitted(std::size_t sent, int error) noexcept {
    willReport(sent);
    if (error != 0 && error != EAGAIN) {
        // What the peer sent before it broke the connection is still to be read: that comes first.
        hindered_.cause = error;
        discardOutput();
    }
    if (sent != 0 && timeouts() != nullptr)
        timeouts()->sent(sent);
    if (hindered_.sendBlocked != (error == EAGAIN))
        setSendBlocked(error == EAGAIN);
    if (hindered_.writeEnds)
        endWriting();
}

void StreamSocket::setSendBlocked(bool blocked) noexcept try {
    hindered_.sendBlocked = blocked;
    if (blocked && timeouts() != nullptr)
        timeouts()->start(SocketTimeouts::Writing);
    observe();
} catch (const std::bad_alloc&) { // nothing would go on, or end it
    hindered_.cause = ENOMEM;
    engine_->schedule();
}

void StreamSocket::sendAfterSlot() noexcept {
    if (hindered_.cause != 0 && engine_ != nullptr)
        engine_->schedule(); // what has just been read came before it; there may be more, and then it is told
    if (output_.empty() || hindered_.sendBlocked || engine_ == nullptr || !mayTransmit())
        return;
    transmitQueued();
    tellOfTransmission();
}

/// Has the loop tell of what was sent in or after a slot, where there is somebody to tell.
void StreamSocket::tellOfTransmission() noexcept {
    // Whoever wants to hear of it has connected by now: without that, a message costs no turn of its own.
    if (unreported_ != 0 && bytesWritten.connectionCount() == 0) {
        takeUnreported();
        ++reports_; // a wait hears of it all the same
    }
    if (unreported_ != 0 || hindered_.cause != 0 || (hindered_.leaving && output_.empty()) || hasDrained())
        engine_->schedule();
}

void StreamSocket::reportWritten() {
    ++reports_;
    bytesWritten(static_cast<std::int64_t>(takeUnreported()));
}

bool StreamSocket::flush() {
    if (!isOnItsThread("flush() of a socket") || engine_ == nullptr || !mayTransmit())
        return false;
    transmitQueued();
    if (hindered_.cause != 0 || (hindered_.leaving && output_.empty()))
        engine_->schedule();
    if (unreported_ == 0)
        return false;
    const Still still(*this);
    reportWritten();
    if (still && outputFull_)
        tellWriteBuffer();
    return true;
}

// --- how much waits ---

void StreamSocket::setWriteBufferWatermarks(std::size_t low, std::size_t high) {
    if (!isOnItsThread("setWriteBufferWatermarks() of a socket"))
        return;
    terms().highWater = high != 0 ? high : unlimited;
    terms_->lowWater = std::min(low, terms_->highWater - 1);
    if (high == 0)
        outputFull_ = tellFull_ = false;
    outputGrew();
    if (hasDrained())
        engine_->schedule();
}

void StreamSocket::setWriteBufferLimit(std::size_t bytes) {
    if (isOnItsThread("setWriteBufferLimit() of a socket"))
        terms().outputLimit = bytes != 0 ? bytes : unlimited;
}

void StreamSocket::outputIsFull() {
    if (outputFull_ || outputLost_) // of which nothing is sent any more, and nobody could tell that it has drained
        return;
    outputFull_ = tellFull_ = true;
    engine_->schedule();
}

void StreamSocket::tellWriteBuffer() {
    const Still still(*this);
    if (tellFull_) {
        tellFull_ = false;
        writeBufferFull();
    }
    if (!still || !hasDrained())
        return;
    outputFull_ = false;
    writeBufferDrained();
}

} // namespace halyard
