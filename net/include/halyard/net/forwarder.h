#pragma once

#include <halyard/core/object.h>
#include <halyard/net/stream_socket.h>
#include <halyard/signals/connection.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace halyard {

class Pipe;

/// Passes on to each of two connections what the other one receives: the middle of a proxy.
///
///     auto* upstream = new TcpSocket(client);
///     upstream->connectToHost(address, port);
///     auto* forwarder = new Forwarder(*client, *upstream, client);
///     forwarder->finished.connect(client, &Object::deleteLater);
///
/// The sockets may be connecting still, and stay their owners': their signals tell of everything as ever, but what
/// they receive is taken at once, they may be half-open, and how much waits to be sent is the forwarder's to limit, not
/// setWriteBufferLimit()'s. A side that does not take what it is sent makes the other one wait. The end of one
/// side's sending is passed on when all before it has been; a connection that breaks, cannot be made or is too slow for
/// its timeouts breaks the other. Bytes are moved, not copied; where many come, they go from one connection to the
/// other inside the kernel (splice(2)), and readyRead tells of them when they are on their way already.
///
/// Any of the three may be deleted at any time: a socket's end ends the other connection in order; the forwarder's
/// leaves both as they are.
class HALYARD_API Forwarder : public Object {
  public:
    /// From `mostQueued` bytes on that one side has not taken yet the other one is not received from.
    Forwarder(StreamSocket& one, StreamSocket& other, Object* parent = nullptr, std::size_t mostQueued = 256 * 1024);
    ~Forwarder() override;

    /// How many bytes were received from the first side and given to the second, and the other way round.
    std::uint64_t bytesForward() const noexcept { return one_.passed; }
    std::uint64_t bytesBackward() const noexcept { return other_.passed; } ///< As bytesForward(), the other way.

    /// Both connections have ended. Once; a slot may do anything.
    Signal<> finished{this};

  private:
    /// Why a side is not received from.
    enum Reason : std::uint8_t { None = 0, Queued = 1, Piped = 2 };

    /// One of the two, as a source.
    struct Side {
        explicit Side(StreamSocket& source) : socket(&source) {}

        Pointer<StreamSocket> socket;
        std::uint64_t passed = 0;
        bool over = false;
        std::uint8_t waitsFor = None;
        std::uint8_t streak = 0;    ///< how often in turn much has come, or little where there is a pipe
        std::shared_ptr<Pipe> pipe; ///< where much comes, else null
        ScopedConnection drained;   ///< tells that the pipe may be empty
    };

    void join(Side& from, Side& to);
    void pass(Side& from, Side& to);
    void judge(Side& from, Side& to, std::size_t passed);
    void beginBypass(Side& from, Side& to);
    void endBypass(Side& from);
    void wait(Side& side, Reason what, bool so);
    void sideEnded(Side& side, Side& other, bool inOrder);

    const std::size_t mostQueued_;
    Side one_;
    Side other_;
    bool isFinished_ = false;
};

} // namespace halyard
