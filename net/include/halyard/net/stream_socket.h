#pragma once

#include <halyard/core/clock.h>
#include <halyard/core/dispatchable.h>
#include <halyard/core/object.h>
#include <halyard/net/byte_queue.h>
#include <halyard/net/engine_client.h>
#include <halyard/net/socket_failure.h>
#include <halyard/net/socket_types.h>
#include <halyard/net/write_queue.h>

#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

struct sockaddr;

namespace halyard {

class ConnectionPermit;
class Pipe;
class SocketEngine;
class SocketTimeouts;

/// A connection of bytes, whatever carries it: reading, writing, ending, waiting, states, errors and the signals for
/// all of that. TcpSocket adds addresses.
///
///     void serve(StreamSocket& client) {
///         client.readyRead.connect(&client, [&client] { client.write(client.readAll()); });
///         client.disconnected.connect(&client, &Object::deleteLater);
///     }
///
/// In each of its slots everything is allowed: writing, closing, connecting anew, waiting, deleting the socket.
///
/// What it reads. readyRead comes for new bytes, never inside its own slot. When the peer ends the connection, the
/// order is: the last readyRead, errorOccurred(RemoteHostClosed) while still connected, stateChanged(Closing), and when
/// what was written until then has been sent, stateChanged(Unconnected), readChannelFinished, disconnected. What was
/// not read stays readable afterwards. setAllowHalfOpen() is for peers that end only their own direction.
///
/// What it writes. Outside slots write() sends at once what the kernel takes; inside a slot it queues, and everything
/// that the slot wrote leaves in one system call when the slot returns. Neither bytesWritten nor a signal about the
/// write buffer is ever emitted inside write(): they come from the loop, in flush() or in a wait.
///
/// An exception that leaves a slot ends that emission; the signals that belong together, at the beginning of a
/// connection and at its end, come all the same, each once, and it leaves after the last of them. Of several the first
/// one leaves.
///
/// I/O never throws. A call that cannot be is refused: it gives what its documentation says, sets error() and logs.
class HALYARD_API StreamSocket : public Object, private EngineClient {
  public:
    /// Emits nothing but destroyed. Deleting an open socket closes it: what was written is still delivered, by the
    /// thread's loop as long as it runs, within the closing timeout. abort() first where it shall not be.
    ~StreamSocket() override;

    /// Ends the connection when what was written has been sent: at once where nothing waits. While connecting, it
    /// ends it after that. The peer gets all of it; if it does not take it within the closing timeout, the rest is
    /// thrown away: errorOccurred(SocketTimeout), and the connection is reset. A peer that is still sending then is
    /// heard out by the thread's loop, as long, and nobody sees what comes: a reset could cost it what it has not been
    /// sent yet. Harmless on an unconnected socket.
    void disconnectFromHost();

    /// As disconnectFromHost(), and throws away what has not been read.
    void close();

    /// Ends the connection at once; what has not been sent is thrown away, the peer sees a reset.
    void abort();

    /// Takes over a connected stream socket, which becomes non-blocking and is closed by this object. False, and the
    /// descriptor stays the caller's: UnsupportedSocketOperation where it is no such socket, or `state` another one
    /// than Connected; Operation where this one is not unconnected; RemoteHostClosed, which is not logged, where the
    /// peer has reset the connection already.
    bool setSocketDescriptor(int descriptor, SocketState state = SocketState::Connected);
    int socketDescriptor() const noexcept; ///< −1 where there is none.
    /// Gives the descriptor away, still non-blocking, and is unconnected then, with the signals of an end; what was
    /// received and not read stays readable here. −1, with error Operation, where there is no connection, where
    /// something is left to send that the kernel does not take, or where a slot of bytesWritten has just written more.
    int releaseDescriptor();

    SocketState state() const noexcept { return state_; } ///< Where the connection stands.
    /// Whether bytes may still come: there is a connection, or will be, and the peer has not ended its sending.
    bool isReceiving() const noexcept {
        return !hindered_.peerHasEnded && state_ != SocketState::Unconnected && state_ != SocketState::Bound;
    }

    /// What went wrong last; None after the next operation that succeeds.
    SocketError error() const noexcept { return failure_.error; }
    /// The same for people, with address and cause; "" where there is no error.
    std::string errorString() const;
    bool isValid() const noexcept { return socketDescriptor() >= 0; } ///< There is a descriptor.

    std::size_t bytesAvailable() const noexcept { return input_.size(); } ///< Received and not read.
    std::size_t bytesToWrite() const noexcept { return output_.size(); }  ///< Written and not sent.
    /// Bytes that were written to this connection, or the last one, were thrown away before they were sent: it was
    /// aborted, or broke.
    bool hasLostOutput() const noexcept { return outputLost_; }
    bool atEnd() const noexcept { return input_.empty(); } ///< There is nothing to read now.
    bool canReadLine() const noexcept;                     ///< There is a `\n` among what can be read.

    /// All that has come and was not read.
    std::string readAll() {
        std::string bytes = input_.takeAll();
        taken();
        return bytes;
    }
    std::string read(std::size_t max); ///< At most so many bytes; "" where there are none.
    /// A line with its `\n`, or all that is there where no line is complete; at most `max` bytes (0: no limit).
    std::string readLine(std::size_t max = 0);
    /// How many bytes were read: 0 when there are none now, −1 when there will never be any again.
    std::ptrdiff_t read(std::span<std::byte> into);
    /// A non-empty prefix of what is there, without reading it: valid until the next read, skip or turn of the loop.
    std::string_view peek() const noexcept { return input_.front(); }
    /// How many bytes there were to skip.
    std::size_t skip(std::size_t bytes) {
        const std::size_t count = input_.skip(bytes);
        taken();
        return count;
    }
    /// Where `wanted` begins in what there is to read, looked for from byte `from` on; nothing where it does not.
    std::optional<std::size_t> indexOf(std::string_view wanted, std::size_t from = 0) const noexcept;

    /// Queues or sends all of `data`, which is copied where it has to wait. Its size, or −1 with error Operation where
    /// the socket is not connected, or SocketResource where the write buffer has reached its limit. Bytes written while
    /// connecting are sent once connected.
    std::ptrdiff_t write(std::string_view data) {
        if (!isAnswer()) [[unlikely]]
            return writeAnywhere(data);
        output_.append(data);
        return static_cast<std::ptrdiff_t>(data.size());
    }
    /// As above, and takes the string's memory, unless it is refused: that of a long one with the bytes, which are not
    /// copied then; that of a short one for the next string that is read on this thread.
    template <std::same_as<std::string> S>
    std::ptrdiff_t write(S&& owned) {
        return writeOwned(owned);
    }

    /// Writes all that `source` has to read, which is moved and not copied. As write().
    std::ptrdiff_t writeFrom(StreamSocket& source);

    /// Sends so many bytes of a file after what was written before, by sendfile(2): no byte comes into this process.
    /// The descriptor is duplicated, so that it may be closed at once; the file must not become shorter, else the
    /// connection breaks when its end is met. bytesWritten tells of it as of other bytes. False, with
    /// UnsupportedSocketOperation, for anything but that much of a regular file that can be read, and as write().
    bool sendFile(int file, std::int64_t offset, std::size_t length);

    /// Sends what the kernel takes now, and emits bytesWritten for that and for what write() has sent already. True
    /// where there was any.
    bool flush();

    /// How many unread bytes are kept at most; then nothing is received until some are read, and the peer's sending
    /// stalls. 0: no limit, until this is called. A connection that breaks is told of all the same; what the kernel
    /// still had of it is then received beyond the limit, so that nothing is lost.
    void setReadBufferSize(std::size_t bytes);
    /// See setReadBufferSize().
    std::size_t readBufferSize() const noexcept { return inputLimit() != unlimited ? inputLimit() : 0; }

    /// Receives nothing, and emits no readyRead, until resumeReading(); the peer's sending stalls, its end is told of
    /// after that. For all connections of this socket.
    void pauseReading();
    void resumeReading(); ///< What came meanwhile is told of in the next turn.

    /// When bytesToWrite(), without what sendFile() has queued, reaches `high`, writeBufferFull is emitted, and when it
    /// has fallen to `low`, writeBufferDrained. 0 for `high`: neither, until this is called.
    void setWriteBufferWatermarks(std::size_t low, std::size_t high);
    /// From so many queued bytes on (without sendFile()'s) write() and sendFile() are refused: what a peer that never
    /// reads can cost is this and one write. 0: no limit, until this is called.
    void setWriteBufferLimit(std::size_t bytes);

    /// Whether the peer's end of sending leaves this side's open: then it is told by readChannelFinished alone, the
    /// state stays Connected, and shutdownWrite() or disconnectFromHost() ends the connection. Off until this is
    /// called.
    void setAllowHalfOpen(bool allow) noexcept { allowHalfOpen_ = allow; }
    bool allowHalfOpen() const noexcept { return allowHalfOpen_; } ///< See setAllowHalfOpen().
    /// Ends this side's sending when what was written has been sent: the peer sees the end, and may go on sending.
    /// Where the peer has ended its side already, that is the end of the connection. Nothing can be written any more.
    void shutdownWrite();

    /// @{
    /// How long a connecting may take; the peer may be silent while it is read from; it may take nothing of what waits
    /// to be sent; it may take nothing of the rest after the socket was closed. 0: as long as it likes, until these are
    /// called; for closing 30 seconds. Then whoever takes a little now and then has time, however long all of it takes.
    /// When the time is over: errorOccurred(SocketTimeout), and the connection is reset, what was not read stays
    /// readable; for connecting it comes after stateChanged(Unconnected), as with any failure.
    void setConnectTimeout(std::chrono::milliseconds limit);
    void setReadTimeout(std::chrono::milliseconds limit);
    void setWriteTimeout(std::chrono::milliseconds limit);
    void setClosingTimeout(std::chrono::milliseconds limit);
    /// @}

    /// @{
    /// Wait, without an event loop and with nothing else of the application running but this socket's direct slots,
    /// for at most `msec` milliseconds: a negative time waits for ever, 0 only looks. Legal in any slot and thread.
    /// When the time is over: false, error SocketTimeout, errorOccurred, and the connection goes on; but a connecting
    /// that has not ended is given up, without errorOccurred.
    ///
    /// waitForConnected is true where the socket is connected on return; waitForReadyRead where new bytes came (not
    /// for what was there already: see bytesAvailable()); waitForBytesWritten where bytes went to the kernel, those
    /// of a write() just before included; waitForDisconnected where the socket is unconnected on return.
    bool waitForConnected(int msec = 30000);
    bool waitForReadyRead(int msec = 30000);
    bool waitForBytesWritten(int msec = 30000);
    bool waitForDisconnected(int msec = 30000);
    /// @}

    Signal<> connected{this};    ///< The connection stands; state() is Connected.
    Signal<> disconnected{this}; ///< It has ended: the last signal of a connection. The peer's address is there.
    Signal<> readyRead{this};    ///< New bytes can be read.
    Signal<std::int64_t> bytesWritten{this}; ///< So many bytes went to the kernel; they sum up to what was written.
    Signal<> readChannelFinished{this};      ///< Nothing will come any more.
    Signal<> writeBufferFull{this};          ///< See setWriteBufferWatermarks().
    Signal<> writeBufferDrained{this};       ///< After writeBufferFull, and after bytesWritten for what has left.
    Signal<SocketState> stateChanged{this};  ///< With the new state; state() says the same.
    /// Something failed: errorString() says what. For a failed connecting it comes after stateChanged(Unconnected).
    Signal<SocketError> errorOccurred{this};

  protected:
    using Failure = SocketFailure; ///< For derived classes, as what follows.

    /// Asked after every emission: whether the socket is there and still about the same connection.
    class Still {
      public:
        /// Of its connection of now.
        explicit Still(StreamSocket& socket) noexcept : self_(&socket), connection_(socket.connection_) {}
        /// It is there, and about that connection.
        explicit operator bool() const noexcept { return self_ && self_->connection_ == connection_; }

      private:
        Pointer<StreamSocket> self_;
        std::uint32_t connection_;
    };

    explicit StreamSocket(Object* parent); ///< Unconnected.

    void leavingThread() override;
    void enteredThread() override; ///< With all that it has received and has still to send.

    virtual std::string peerText() const = 0; ///< As SocketFailure::sentence() wants it.
    /// The engine has adopted a descriptor, whose peer has this name.
    virtual void adopted(const sockaddr& name) = 0;
    /// The engine has news while the state is HostLookup.
    virtual void lookedUp() {}
    /// The engine has connected, or failed to, and knows with whom.
    virtual void peerDecided() {}

    /// Whether the socket is unconnected, or bound where that will do; else the call is refused, with errorOccurred.
    bool isFree(std::string_view call, bool boundWillDo);
    /// @{
    /// Forgets the connection before, and makes the engine of the next, or takes this one; a bound one stays.
    void begin();
    void begin(std::unique_ptr<SocketEngine> engine);
    /// @}
    /// The engine was asked to connect, and said so: 0, EINPROGRESS or what failed. The loop tells of it.
    void connecting(int result);
    /// The state is Unconnected then, and errorOccurred tells why.
    void failConnecting(Failure::What what, SocketError error, int cause);
    void beginAccepted(int descriptor); ///< Suspended: nobody could hear its readyRead yet.
    void suspendReading();              ///< For a pending connection: nobody hears it yet.
    void startReading();                ///< It was taken: readyRead comes in the next turn.
    void setState(SocketState state);   ///< Emits stateChanged where it is another one.
    /// What error() and errorString() say.
    void setFailure(Failure::What what, SocketError error, int cause = 0) noexcept { failure_ = {cause, error, what}; }
    void fail(Failure::What what, SocketError error, int cause = 0); ///< As setFailure(), and tells of it.

    EngineClient& engineClient() noexcept { return *this; }         ///< Who is told by the engine.
    SocketEngine* engine() const noexcept { return engine_.get(); } ///< Null where there is no descriptor.
    bool hasPeer() const noexcept;                                  ///< There is a connection, or was until just now.

  private:
    friend class Forwarder;
    friend class SocketTimeouts;
    friend class StreamServer;
    friend class WorkerPool;
    using Time = Clock::time_point;
    enum class Ending : std::uint8_t { Gentle, Reset, Abort, Released };
    static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

    void engineReady(std::uint32_t ready) final;
    void engineReadyFor(std::uint32_t ready);
    void goThrough(std::uint32_t ready, const Still& still);
    void exchange(std::uint32_t ready);
    void engineSlotReturned() noexcept final;

    /// What a message may meet on its way; nearly always nothing, which one look tells.
    struct Hindrances {
        std::uint32_t unconnected : 1 = 1;
        std::uint32_t suspended : 1 = 0; ///< a pending connection: nobody could hear its readyRead yet
        std::uint32_t paused : 1 = 0;    ///< by the user
        std::uint32_t peerHasEnded : 1 = 0;
        std::uint32_t special : 1 = 0;     ///< there are Terms, or the engine is not plain
        std::uint32_t leaving : 1 = 0;     ///< ends when the output is empty
        std::uint32_t sendBlocked : 1 = 0; ///< the kernel took less than it was offered
        std::uint32_t writeEnds : 1 = 0;   ///< shutdownWrite() was called
        std::uint32_t unreported : 1 = 0;  ///< there are bytes that bytesWritten has not told of
        std::uint32_t none : 23 = 0;
        int cause = 0; ///< why connecting or sending failed, until the loop tells of it

        bool any() const noexcept { return std::bit_cast<std::uint64_t>(*this) != 0; }
    };

    void
    countBy(ConnectionPermit permit); ///< A connection that has just begun: it counts as long as it has its descriptor.

    template <class Emission>
    void orGoOn(const Still& still, Emission emission);
    void finishConnecting();
    void goOn();
    /// The way of what is received into another socket's output, past `input_` and this process.
    struct Bypass {
        std::shared_ptr<Pipe> pipe;
        Pointer<StreamSocket> to;
    };
    /// What was asked for beyond the usual, once something is.
    struct Terms {
        std::size_t inputLimit = unlimited;
        std::size_t outputLimit = unlimited;
        std::size_t lowWater = 0;
        std::size_t highWater = unlimited;
        std::unique_ptr<SocketTimeouts> timeouts; ///< null until one is needed
        std::unique_ptr<Bypass> bypass;
    };
    void setBypass(std::shared_ptr<Pipe> pipe, StreamSocket* to); ///< Null: none.
    bool takesBypassed() const noexcept;
    void writeFrom(const std::shared_ptr<Pipe>& pipe, std::size_t bytes);

    void receive();
    void takeIn(std::ptrdiff_t received);
    std::ptrdiff_t receiveHere();
    std::ptrdiff_t receivePast();
    void receiveRest();
    /// A slot of readyRead that runs on this thread: what it writes to its own socket is an answer, which leaves when
    /// it returns. What runs inside another dispatch, in a loop or a wait of the slot's, is none.
    struct Answering {
        explicit Answering(StreamSocket& its) noexcept;
        Answering(const Answering&) = delete;
        Answering& operator=(const Answering&) = delete;
        ~Answering() { answering_ = outer; }

        StreamSocket* socket; ///< null once it has been deleted, or lives on another thread
        Answering* outer;
        const DispatchState& loop;
        std::uint32_t depth; ///< of the loop when the slot was called
    };
    /// Whether a write is an answer that nothing hinders. Nearly all are: such a write is inline to the end.
    bool isAnswer() const noexcept {
        const Answering* const here = answering_;
        return here != nullptr && here->socket == this && !hindered_.any() && here->depth == here->loop.depth;
    }
    void tellReadyRead();
    void takeNothing(std::ptrdiff_t received);
    void keepRest();
    bool isInReadyRead() const noexcept { return answering_ != nullptr && findAnswering() != nullptr; }
    Answering* findAnswering() const noexcept;
    void endAnswering() noexcept;
    static void sendAnswersSoFar() noexcept;
    static const bool sendsBeforeNestedTurns_;
    bool hasBegunToEnd() const noexcept;
    void peerEnded(int cause);
    void leave(Ending how);
    void awaitSent();
    void linger() noexcept;
    void discardOutput() noexcept {
        outputLost_ = outputLost_ || !output_.empty();
        output_.clear();
    }
    void dropEngine() noexcept;
    void finish(Ending how);
    void finishReported(Ending how);

    std::ptrdiff_t writeOwned(std::string& owned);
    std::ptrdiff_t writeMoved(std::string& owned);
    /// Whether a write is taken; else it is refused. Nearly always the first look is enough.
    bool mayWrite(std::string_view call) {
        return (state_ == SocketState::Connected && !hindered_.writeEnds && output_.memory() < outputLimit() &&
                executor() == Executor::current() && !isArriving_) ||
               mayWriteAfterAll(call);
    }
    bool mayWriteAfterAll(std::string_view call);
    std::ptrdiff_t writeAnywhere(std::string_view data);
    std::ptrdiff_t writeThrough(std::string_view data);
    bool mayTransmit() const noexcept;
    void transmitQueued() noexcept;
    void transmitted(std::size_t sent, int error) noexcept;
    void willReport(std::size_t sent) noexcept {
        unreported_ += sent;
        hindered_.unreported = unreported_ != 0;
    }
    std::size_t takeUnreported() noexcept {
        hindered_.unreported = 0;
        return std::exchange(unreported_, 0);
    }
    void sendAnswer() noexcept;
    void sendAfterSlot() noexcept;
    void tellOfTransmission() noexcept;
    bool goesAtOnce();
    void transmitNow() noexcept;
    template <class Queueing>
    void orLoseOutput(Queueing queueing, bool isInMidst);
    void setSendBlocked(bool blocked) noexcept;
    void endWriting() noexcept;
    void outputGrew() {
        if (terms_ != nullptr && output_.memory() >= terms_->highWater)
            outputIsFull();
    }
    void outputIsFull();
    bool hasDrained() const noexcept { return outputFull_ && output_.memory() <= terms_->lowWater; }
    void reportWritten();
    void tellWriteBuffer();
    void observe();
    std::uint32_t interest() const noexcept;
    bool isFull() const noexcept { return input_.size() >= inputLimit(); }
    bool reads() const noexcept {
        return !hindered_.suspended && !hindered_.paused && !hindered_.peerHasEnded && !isFull();
    }
    bool isConnecting() const noexcept {
        return state_ == SocketState::HostLookup || state_ == SocketState::Connecting;
    }
    bool hasDueWork() const noexcept;
    /// After the user took something: a full buffer has room again.
    void taken() {
        if (inputLimit() != unlimited)
            observe();
    }

    Terms& terms();
    std::size_t inputLimit() const noexcept { return terms_ != nullptr ? terms_->inputLimit : unlimited; }
    std::size_t outputLimit() const noexcept { return terms_ != nullptr ? terms_->outputLimit : unlimited; }
    SocketTimeouts* timeouts() const noexcept { return terms_ != nullptr ? terms_->timeouts.get() : nullptr; }
    SocketTimeouts& useTimeouts();
    void setTimeout(std::uint8_t kind, std::chrono::milliseconds limit);
    bool counts(std::uint8_t timeout) const noexcept;
    void timeIsOver(std::uint8_t timeout);

    template <class Verdict>
    bool wait(std::optional<Time> until, Verdict verdict);

#ifdef __ELF__
    [[gnu::tls_model("initial-exec")]]
#endif
    static constinit thread_local Answering* answering_; ///< the innermost slot of readyRead that runs on this thread

    std::unique_ptr<SocketEngine> engine_;
    std::unique_ptr<Terms> terms_; ///< null until something is asked for
    ByteQueue input_;
    WriteQueue output_;
    std::size_t unreported_ = 0; ///< bytes that went to the kernel and bytesWritten has not told of
    Failure failure_;
    std::uint32_t connection_ = 0; ///< counts the connections that this socket has been about
    std::uint32_t receptions_ = 0; ///< counts what waits wait for
    std::uint32_t reports_ = 0;
    SocketState state_ = SocketState::Unconnected;
    Hindrances hindered_;
    bool readFinished_ : 1 = false; ///< readChannelFinished was emitted
    bool writeEnded_ : 1 = false;   ///< the kernel was told of shutdownWrite()
    bool allowHalfOpen_ : 1 = false;
    bool outputFull_ : 1 = false; ///< the high watermark was reached, and the low one not since
    bool tellFull_ : 1 = false;   ///< writeBufferFull has still to be emitted
    bool inFarewell_ : 1 = false; ///< the last signals of a connection: its peer is still known
    bool outputLost_ : 1 = false; ///< not all that was written will be sent
    bool urgentSeen_ : 1 = false; ///< out-of-band data is there: watching for it would not rest
};

} // namespace halyard
