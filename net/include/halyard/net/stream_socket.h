#pragma once

#include <halyard/core/object.h>
#include <halyard/net/byte_queue.h>
#include <halyard/net/engine_client.h>
#include <halyard/net/socket_types.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sockaddr;

namespace halyard {

class SocketEngine;

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
/// order is: the last readyRead, errorOccurred(RemoteHostClosed) while still connected, stateChanged,
/// readChannelFinished, disconnected. What was not read stays readable afterwards.
///
/// What it writes. Outside slots write() sends at once what the kernel takes; inside a slot it queues, and everything
/// that the slot wrote leaves in one system call when the slot returns. bytesWritten is never emitted inside write().
///
/// I/O never throws. A call that cannot be is refused: it gives what its documentation says, sets error() and logs.
class HALYARD_API StreamSocket : public Object, private EngineClient {
  public:
    /// Emits nothing but destroyed. An open connection is closed; what was queued and the kernel has not taken is
    /// lost with it: disconnectFromHost() first, and delete when disconnected() comes.
    ~StreamSocket() override;

    /// Ends the connection when what was written has been sent: at once where nothing waits. While connecting, it
    /// ends it after that. Harmless on an unconnected socket.
    void disconnectFromHost();

    /// As disconnectFromHost(), and throws away what has not been read.
    void close();

    /// Ends the connection at once; what has not been sent is thrown away, the peer sees a reset.
    void abort();

    /// Takes over a connected stream socket, which becomes non-blocking and is closed by this object. False, and the
    /// descriptor stays the caller's: UnsupportedSocketOperation where it is no such socket, Operation where this one
    /// is not unconnected.
    bool setSocketDescriptor(int descriptor, SocketState state = SocketState::Connected);
    int socketDescriptor() const noexcept; ///< −1 where there is none.

    SocketState state() const noexcept { return state_; }

    /// What went wrong last; None after the next operation that succeeds.
    SocketError error() const noexcept { return failure_.error; }
    /// The same for people, with address and cause; "" where there is no error.
    std::string errorString() const;
    bool isValid() const noexcept { return socketDescriptor() >= 0; }

    std::size_t bytesAvailable() const noexcept { return input_.size(); }
    std::size_t bytesToWrite() const noexcept { return output_.size(); }
    bool atEnd() const noexcept { return input_.empty(); }
    bool canReadLine() const noexcept;

    std::string readAll();
    std::string read(std::size_t max);
    /// A line with its '\n', or all that is there where no line is complete; at most `max` bytes (0: no limit).
    std::string readLine(std::size_t max = 0);
    /// How many bytes were read: 0 when there are none now, −1 when there will never be any again.
    std::ptrdiff_t read(std::span<std::byte> into);
    /// A non-empty prefix of what is there, without reading it: valid until the next read, skip or turn of the loop.
    std::string_view peek() const noexcept { return input_.front(); }
    std::size_t skip(std::size_t bytes); ///< How many bytes there were to skip.

    /// Queues or sends all of `data`, which is copied where it has to wait. Its size, or −1 with error Operation where
    /// the socket is not connected. Bytes written while connecting are sent once connected.
    std::ptrdiff_t write(std::string_view data);
    /// As above; a long string is moved in, not copied.
    template <std::same_as<std::string> S>
    std::ptrdiff_t write(S&& owned) {
        return writeOwned(owned);
    }

    /// Sends what the kernel takes now, and emits bytesWritten for it. True where anything was sent.
    bool flush();

    /// How many unread bytes are kept at most; then nothing is received until some are read, and the peer's sending
    /// stalls. 0: no limit, until this is called.
    void setReadBufferSize(std::size_t bytes);
    std::size_t readBufferSize() const noexcept { return inputLimit_; }

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

    Signal<> connected{this};    ///< The connection stands; state() is Connected.
    Signal<> disconnected{this}; ///< It has ended, always the last signal of a connection. Addresses are still there.
    Signal<> readyRead{this};    ///< New bytes can be read.
    Signal<std::int64_t> bytesWritten{this}; ///< So many bytes went to the kernel; they sum up to what was written.
    Signal<> readChannelFinished{this};      ///< Nothing will come any more.
    Signal<SocketState> stateChanged{this};
    /// Something failed: errorString() says what. For a failed connecting it comes after stateChanged(Unconnected).
    Signal<SocketError> errorOccurred{this};

  protected:
    /// What went wrong, from which errorString() makes its sentence.
    struct Failure {
        enum class What : std::uint8_t {
            Nothing,
            Connect,
            Connection,
            Closed,
            NotConnected,
            Busy,
            Descriptor,
            Timeout
        };
        int cause = 0; ///< errno
        SocketError error = SocketError::None;
        What what = What::Nothing;
    };

    /// Asked after every emission: whether the socket is there and still about the same connection.
    class Still {
      public:
        explicit Still(StreamSocket& socket) noexcept : self_(&socket), connection_(socket.connection_) {}
        explicit operator bool() const noexcept { return self_ && self_->connection_ == connection_; }

      private:
        Pointer<StreamSocket> self_;
        std::uint32_t connection_;
    };

    explicit StreamSocket(Object* parent);

    virtual std::string peerText() const = 0; ///< Who the peer is, for errorString().
    /// A descriptor is being adopted whose peer has this name.
    virtual void peerFound(const sockaddr& name) = 0;

    /// Whether a connecting may begin; else it is refused.
    bool mayConnect();
    /// Forgets the connection before, makes the engine of the next.
    void begin();
    /// The engine was asked to connect, and said so: 0, EINPROGRESS or what failed. The loop tells of it.
    void connecting(int result);
    void beginAccepted(int descriptor); ///< Suspended: nobody could hear its readyRead yet.
    void suspendReading();
    void startReading();
    void setState(SocketState state);
    void fail(Failure::What what, SocketError error, int cause);

    SocketEngine* engine() const noexcept { return engine_.get(); }
    bool hasPeer() const noexcept;

  private:
    using Time = std::chrono::steady_clock::time_point;

    void engineReady(std::uint32_t ready) override;
    void engineSlotReturned() noexcept override;

    void finishConnecting();
    void failConnecting(int cause);
    void receive();
    void tellReadyRead();
    void peerEnded(int cause);
    void leave();
    void finish(bool reset);

    std::ptrdiff_t writeOwned(std::string& owned);
    bool mayWrite();
    bool mayTransmit() const noexcept;
    std::size_t transmit(std::span<const iovec> bytes) noexcept;
    void transmitQueued() noexcept;
    void reportWritten();
    void observe();
    std::uint32_t interest() const noexcept;
    bool isFull() const noexcept { return inputLimit_ != 0 && input_.size() >= inputLimit_; }
    bool hasDueWork() const noexcept;
    void taken();

    template <class Verdict>
    bool wait(std::optional<Time> until, Verdict verdict);

    std::unique_ptr<SocketEngine> engine_;
    ByteQueue input_;
    ByteQueue output_;
    std::size_t inputLimit_ = 0;
    std::size_t unreported_ = 0; ///< bytes that went to the kernel and bytesWritten has not told of
    Failure failure_;
    int cause_ = 0;                ///< why connecting or sending failed, until the loop tells of it
    std::uint32_t connection_ = 0; ///< counts the connections that this socket has been about
    std::uint32_t receptions_ = 0; ///< counts what waits wait for
    std::uint32_t reports_ = 0;
    SocketState state_ = SocketState::Unconnected;
    bool suspended_ : 1 = false;   ///< a pending connection: nobody could hear its readyRead yet
    bool inReadyRead_ : 1 = false; ///< its slots run
    bool leaving_ : 1 = false;     ///< ends when the output is empty
    bool sendBlocked_ : 1 = false; ///< the kernel took less than it was offered
    bool peerHasEnded_ : 1 = false;
    bool inFarewell_ : 1 = false; ///< the last signals of a connection: its peer is still known
};

} // namespace halyard
