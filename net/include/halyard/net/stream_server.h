#pragma once

#include <halyard/core/deadline.h>
#include <halyard/core/log.h>
#include <halyard/core/object.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/endpoint.h>
#include <halyard/net/engine_client.h>
#include <halyard/net/socket_types.h>
#include <halyard/signals/connection.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace halyard {

class SocketEngine;
class StreamSocket;

/// What a server does about new clients.
enum class AcceptState : std::uint8_t {
    Closed,        ///< It does not listen.
    Running,       ///< It accepts who comes.
    Full,          ///< As many wait to be taken, or are open, as the limits allow.
    PausedByError, ///< accept(2) failed.
    PausedByUser,
};

/// A server for connections of bytes, whatever carries them: accepting, the queue of connections that nobody has taken
/// yet, pausing, waiting, errors and the signals for all of that. TcpServer and LocalServer add where it listens.
///
///     void serveAt(StreamServer& server) {
///         server.newConnection.connect(&server, [&server] {
///             while (StreamSocket* const client = server.nextPendingConnection())
///                 serve(*client);
///         });
///     }
///
/// Accepting is a state machine; each state has its own way back, and none undoes another:
///
///     acceptState()  begins with                           ends with
///     Closed         the constructor, close()              listen(), setSocketDescriptor()
///     Running        listen(), the end of any below        any of the others
///     Full           as many pending as the limit allows,  taking one, the end of one,
///                    or as many open as setLimits() says   or a higher limit
///     PausedByError  no descriptors or memory left, or     by itself after a while (not where the listener is broken),
///                    a listener that is broken             a wait that can accept again, or resumeAccepting()
///     PausedByUser   pauseAccepting()                      resumeAccepting()
///
/// close() ends them all. Of several that hold at once acceptState() gives the lowest of this table. In every state but
/// Running the kernel keeps new clients in its backlog, and the loop has nothing to do for them. An error that concerns
/// one client (it gave up while it waited, a firewall refuses it) changes nothing; the next one is accepted.
///
/// Of the clients that come at once at most 64 are accepted before everything else that is ready has its turn.
class HALYARD_API StreamServer : public Object, private EngineClient {
  public:
    ~StreamServer() override;

    /// Stops listening, and deletes the connections that nobody has taken yet. Connections that were taken live on.
    void close();
    bool isListening() const noexcept { return engine_ != nullptr; } ///< Clients can connect.

    int socketDescriptor() const noexcept; ///< −1 while not listening.
    /// Takes over a listening stream socket, which becomes non-blocking and is closed by this object. False, and the
    /// descriptor stays the caller's, with UnsupportedSocketOperation, for anything else.
    bool setSocketDescriptor(int descriptor);
    /// Gives the listening socket away, still non-blocking, and is closed then: who waits in its backlog goes with it,
    /// a Unix-domain server's file stays. −1 while not listening.
    int releaseDescriptor();

    /// What went wrong last; None after the next operation that succeeds.
    SocketError serverError() const noexcept { return error_; }
    std::string errorString() const; ///< The same for people, with address and cause.

    /// How many connections may wait to be taken; at 0 or less none is accepted. It is neither a limit on open
    /// connections nor the kernel's backlog.
    void setMaxPendingConnections(int count);
    int maxPendingConnections() const noexcept { return maxPending_; } ///< See setMaxPendingConnections(); 30 at first.

    /// How many connections may be open, in all and of one peer: see ConnectionLimits, which several servers may share.
    /// No limit until this is called, and again with null. It counts those that come from then on: all that are
    /// queued, and those of a PooledServer. Where a class of one's own hands a descriptor elsewhere, see takePermit().
    void setLimits(std::shared_ptr<ConnectionLimits> limits);
    const std::shared_ptr<ConnectionLimits>& limits() const noexcept { return limits_; } ///< See setLimits(); or null.

    virtual bool hasPendingConnections() const; ///< nextPendingConnection() would give one.
    /// The connection that has waited longest, a child of the server; null where none waits. It starts reading now:
    /// no readyRead of it was lost. A client that has gone meanwhile is told of by the signals of its socket.
    virtual StreamSocket* nextPendingConnection();

    /// Waits for a connection, without an event loop and with nothing else of the application running but direct slots
    /// of this server, for at most `msec` milliseconds: a negative time waits for ever, 0 only looks. Legal in any slot
    /// and thread. True where hasPendingConnections() is. What came and was taken by a slot ends the wait too: false,
    /// and not timed out; so do a limit that allows none, close() in a slot, and a listener that is broken. `timedOut`
    /// is always written; when the time is over, the error is SocketTimeout. Accepts while paused by the user. Without
    /// descriptors or memory, or with as many connections as setLimits() allows, it tries again every so often, until
    /// its time is over.
    bool waitForNewConnection(int msec = 0, bool* timedOut = nullptr);

    /// The kernel's queue of connections that were not accepted yet, for the next listen(): the system's maximum
    /// (SOMAXCONN) until this is called (listen(2)).
    void setListenBacklogSize(int size) noexcept { backlog_ = size; }
    int listenBacklogSize() const noexcept { return backlog_; } ///< See setListenBacklogSize().

    /// Stops accepting, or goes on. Harmless while not listening.
    void pauseAccepting();
    void resumeAccepting();          ///< Ends a pause by the user, or by an error.
    AcceptState acceptState() const; ///< Why it accepts nobody just now, if so.

    /// A connection was accepted and given to incomingConnection(), whether that queued it or not. A slot may do
    /// anything; take all that wait, because a queued slot is called for each but may come late.
    Signal<> newConnection{this};
    Signal<> pendingConnectionAvailable{this}; ///< A connection was queued; before newConnection of the same one.
    /// Accepting failed and pauses: once an episode, however long it lasts. SocketResource ends by itself.
    Signal<SocketError> acceptError{this};

  protected:
    explicit StreamServer(Object* parent); ///< It does not listen yet.

    /// Called for each accepted connection with its descriptor, which is the callee's from here on. The servers make a
    /// socket of it and queue that; one's own may do what it likes.
    virtual void incomingConnection(int socketDescriptor) = 0;

    /// Queues a connection for nextPendingConnection(): its reading waits until it is taken. Its parent stays. Null is
    /// refused, with a logged sentence.
    void queue(StreamSocket* socket);
    void queueAccepted(std::unique_ptr<StreamSocket> socket); ///< As queue(), for one that nobody else knows.
    std::uint32_t queuedConnections() const noexcept { return queued_; } ///< How many were, ever.
    /// Who is at the other end of the descriptor that incomingConnection() is called with; null for any other.
    Endpoint incomingPeer(int socketDescriptor) const { return socketDescriptor == incoming_ ? peer_ : Endpoint(); }

    /// The place of the connection that incomingConnection() is called with, for who hands the descriptor elsewhere and
    /// does not queue it here: the connection counts as long as that lives (see WorkerPool::serve()), or not any more
    /// after incomingConnection(), where nobody takes it.
    ConnectionPermit takePermit() noexcept { return std::move(permit_); }
    /// The place of the connection that is queued next.
    void givePermit(ConnectionPermit permit) noexcept { permit_ = std::move(permit); }
    /// For which peer a connection counts, that was accepted just now; the null address where that is not known yet.
    virtual HostAddress countedPeer(const Endpoint& peer) const { return peer.address; }
    /// A connection was reset, because its peer has as many as one may have. A slot may have deleted the server then.
    virtual void refused(const Endpoint& peer) { (void)peer; }

    virtual std::string localText() const = 0; ///< Where it listens, or should have, for people.
    virtual void moved() {}                    ///< Clients come to another address from now on: the engine's local().
    /// A descriptor is to be adopted that listens here. False where that is no address of this kind of server.
    virtual bool adopts(const sockaddr& name, std::size_t length) = 0;

    /// Whether listen() may be called; else it is refused with a logged sentence.
    bool isFree(std::string_view call) const;
    /// The engine was asked to listen, and said so: 0 or errno. Begins; or sets the error, and gives false.
    bool start(std::unique_ptr<SocketEngine> engine, int result);
    void setError(SocketError error, std::string text);             ///< What serverError() and errorString() say.
    EngineClient& engineClient() noexcept { return *this; }         ///< Who is told by the engine.
    SocketEngine* engine() const noexcept { return engine_.get(); } ///< Null while it does not listen.

    void leavingThread() override;
    void enteredThread() override; ///< Clients that come meanwhile wait in the kernel's backlog.

  private:
    friend class ConnectionLimits;

    /// Goes on with accepting after an error, later every time.
    class Retry final : public Deadline {
      public:
        explicit Retry(StreamServer& server) noexcept : server_(server) {}
        using Deadline::joinLoop;
        using Deadline::leaveLoop;

      private:
        void dispatch() override { server_.endErrorPause(); }
        StreamServer& server_;
    };

    void engineReady(std::uint32_t ready) override;

    bool hasRoom() const;
    bool isLimited() const;
    void tryAgain();
    bool permits();
    bool admits(int accepted);
    bool hasFound();
    void acceptSome();
    void acceptSome(const Pointer<StreamServer>& self);
    bool acceptFailed(int cause);
    bool isExhausted() const noexcept { return pausedByError_ && retryAfter_.count() != 0; }
    void endErrorEpisode();
    void endErrorPause();
    void setError(const SocketEngine& engine, const char* failedTo, int cause);
    void observe();
    void tellQueued();
    void watchPending();
    void endListening();
    void shut();

    std::unique_ptr<SocketEngine> engine_;
    mutable std::deque<Pointer<StreamSocket>> pending_;
    std::vector<Connection> pendingEnds_; ///< of those that waited when last no more might
    std::string errorText_; ///< of SocketTimeout only the cause, if it has one: who looks often makes no sentences
    Retry retry_{*this};
    std::chrono::milliseconds retryAfter_{0};  ///< until the next try; 0 where there will be none by itself
    std::shared_ptr<ConnectionLimits> limits_; ///< null where there are none
    ConnectionPermit permit_;                  ///< of the connection that is being accepted
    Signal<> roomCame_;                        ///< from any thread: limits_ may allow one more
    Endpoint peer_;                            ///< of incoming_
    LogThrottle episodes_;                     ///< of errors
    int incoming_ = -1;                        ///< what incomingConnection() is called with
    int acceptCause_ = 0;                      ///< errno of the last accept(2) that paused
    int maxPending_ = 30;
    int backlog_ = SOMAXCONN;
    SocketError error_ = SocketError::None;
    std::uint32_t listening_ = 0;    ///< counts the times that it began to listen
    std::uint32_t arrivals_ = 0;     ///< counts the connections that were let in
    std::uint32_t queued_ = 0;       ///< counts those that were queued
    mutable bool isLimited_ = false; ///< limits_ allowed no further connection
    bool pausedByUser_ = false;
    bool pausedByError_ = false;
    bool inErrorEpisode_ = false;
};

} // namespace halyard
