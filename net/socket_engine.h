#pragma once

#include <halyard/core/clock.h>
#include <halyard/core/fd_watcher.h>
#include <halyard/net/endpoint.h>
#include <halyard/net/engine_client.h>

#include "plain_calls.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace halyard {

struct EngineFailure;

/// What does the system calls for a socket or a server, and the seam at which another way to the peer (a proxy, TLS,
/// a simulated network) takes the place of the native one. Calls never block. A failed one gives the errno value; one
/// that transfers bytes gives it negated.
class SocketEngine : public FdWatcher {
  public:
    using Time = Clock::time_point;

    explicit SocketEngine(EngineClient& client) noexcept : client_(&client) {}

    /// Descriptor of the listener or the connection; −1 where there is none.
    virtual int descriptor() const noexcept = 0;

    /// Makes the descriptor that connectTo() needs, unless bindTo() has: 0 or errno.
    virtual int openFor(const HostAddress& peer) noexcept = 0;
    virtual int bindTo(const Endpoint& local) noexcept = 0;
    /// Starts to connect: 0 connected at once, EINPROGRESS under way: readiness::Writable tells when to ask
    /// finishConnect().
    virtual int connectTo(const Endpoint& peer) noexcept = 0;
    virtual int finishConnect() noexcept = 0; ///< 0 connected, EINPROGRESS not yet.
    /// Of a connection that has just been made: the engine that it goes on with. Null: this one.
    virtual std::unique_ptr<SocketEngine> successor() { return nullptr; }
    /// What failed, where the errno value of connecting or listening says too little; else null.
    virtual const EngineFailure* failure() const noexcept { return nullptr; }

    virtual int listenAt(const Endpoint& local, int backlog, bool reusePort) = 0;
    /// A descriptor of a new connection, and who it is; negated errno else, as accept_error.h sorts them.
    virtual int accept(Endpoint& peer) noexcept = 0;
    /// Whether a listener that watches nothing any more will have no further client.
    virtual bool isOver() const noexcept { return false; }

    /// Bytes received; 0 when the peer has ended its side.
    virtual std::ptrdiff_t receive(std::span<std::byte> into) noexcept = 0;
    virtual std::ptrdiff_t send(std::span<const iovec> from) noexcept = 0;
    virtual std::ptrdiff_t sendPiece(std::string_view bytes) noexcept = 0; ///< As send(), for what stands together.
    std::size_t share() const noexcept { return dispatchState().share; }   ///< What it should receive at once, at most.
    /// Nothing but the kernel is behind it: bytes come and go as they are.
    bool isPlain() const noexcept { return plain_ >= 0; }
    /// As receive() and sendPiece(), by a system call straight away. For a plain one. They ask first what their callers
    /// do, so that both are one branch.
    std::ptrdiff_t receiveAtOnce(std::span<std::byte> into) noexcept;
    std::ptrdiff_t sendAtOnce(std::string_view bytes) noexcept;
    /// As send(), from a file; 0 where the file has nothing there.
    virtual std::ptrdiff_t sendFile(int file, std::int64_t offset, std::size_t length) noexcept = 0;
    /// Whether the two that follow are to be had: bytes from and to a pipe(2), which never leave the kernel
    /// (splice(2)).
    virtual bool splices() const noexcept { return false; }
    virtual std::ptrdiff_t receiveInto(int pipe) noexcept; ///< As receive(), as much as there is and the pipe takes.
    virtual std::ptrdiff_t sendFrom(int pipe, std::size_t length) noexcept; ///< As send().
    virtual void shutdownSend() noexcept = 0;
    /// Bytes that the kernel holds and nobody has received (FIONREAD).
    std::size_t unreceived() const noexcept;
    /// Bytes that the kernel holds and the peer's has not taken (SIOCOUTQ); 0 where the system does not say.
    std::size_t untaken() const noexcept;
    /// What broke the connection (SO_ERROR), once; 0 where nothing did.
    virtual int takeError() noexcept = 0;

    virtual Endpoint local() const = 0;
    virtual Endpoint peer() const = 0;

    /// Takes over a descriptor that somebody else made.
    virtual void adopt(int descriptor) noexcept = 0;
    virtual int release() noexcept = 0;
    /// Closes; `reset` tells the peer that its data was not wanted.
    virtual void close(bool reset) noexcept = 0;
    /// Closes a connection so that the peer gets all that was sent: closing over unread input, or before more comes,
    /// resets the connection, and the peer could lose what it has not been sent yet (RFC 2525, section 2.17). False
    /// where the peer is still sending: then it has to be heard out, and closed after that.
    bool closeOverInput() noexcept;
    /// Whether the peer has ended its side, or the connection has; what has come is thrown away.
    bool hasHeardOut() noexcept;

    /// Works for another client from now on.
    void setClient(EngineClient& client) noexcept { client_ = &client; }

    /// Starts to be told of what `wanted` says, or changes it: 0 or errno.
    virtual int observe(std::uint32_t wanted);
    /// Waits until `until` of WaitClock (none: for ever) for what is observed, without the loop. What is ready; None
    /// when the time is over, or with `*error` set.
    virtual std::uint32_t wait(std::uint32_t wanted, std::optional<Time> until, int* error);

    using Dispatchable::dispatchState;
    using Dispatchable::inDispatch;
    using Dispatchable::joinLoop;
    using Dispatchable::schedule;
    using Dispatchable::scheduleSlotReturned;
    using FdWatcher::leaveLoop; ///< And watches nothing until the next observe().

  protected:
    EngineClient& client() const noexcept { return *client_; }

    /// The descriptor of a plain one; else −1.
    int plain_ = -1;

  private:
    std::ptrdiff_t discardInput(bool& found) noexcept;
    void dispatch() override { client_->engineReady(takeReady()); }
    void slotReturned() override { client_->engineSlotReturned(); }

    EngineClient* client_;
};

inline std::ptrdiff_t SocketEngine::receiveAtOnce(std::span<std::byte> into) noexcept {
    const ssize_t received = plain::receive(plain_, into);
    if (received > 0) [[likely]]
        return received;
    if (received == 0)
        return 0;
    return errno != EINTR ? -errno : receive(into);
}

inline std::ptrdiff_t SocketEngine::sendAtOnce(std::string_view bytes) noexcept {
    const ssize_t sent = plain::send(plain_, bytes);
    if (sent == static_cast<ssize_t>(bytes.size())) [[likely]]
        return sent;
    if (sent >= 0)
        return sent;
    return errno != EINTR ? -errno : sendPiece(bytes);
}

} // namespace halyard
