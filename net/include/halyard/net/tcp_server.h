#pragma once

#include <halyard/core/deadline.h>
#include <halyard/core/object.h>
#include <halyard/net/endpoint.h>
#include <halyard/net/engine_client.h>
#include <halyard/net/host_address.h>
#include <halyard/net/socket_types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <sys/socket.h>

namespace halyard {

class SocketEngine;
class TcpSocket;

/// Listens for TCP connections.
///
///     TcpServer server;
///     server.newConnection.connect([&] {
///         while (TcpSocket* client = server.nextPendingConnection()) {
///             client->readyRead.connect(client, [client] { client->write(client->readAll()); });
///             client->disconnected.connect(client, &Object::deleteLater);
///         }
///     });
///     server.listen(HostAddress::LocalHost, 7000);
///
/// Accepting is in one of four states, each with its own way back; none undoes another:
///
///     state      begins with                            ends with
///     running    listen()                               any of the others
///     user       pauseAccepting()                       resumeAccepting()
///     full       as many pending as the limit allows    taking one, or a higher limit
///     error      no descriptors or memory left          by itself after a while, or resumeAccepting()
///
/// close() ends them all. In every state but running the kernel keeps new clients in its backlog.
class HALYARD_API TcpServer : public Object, private EngineClient {
  public:
    explicit TcpServer(Object* parent = nullptr);

    /// Closes, and deletes its children: the connections it gave out too, unless they were given another parent.
    ~TcpServer() override;

    /// Listens; HostAddress::Any is IPv6 and IPv4 at once, port 0 any free one: serverPort() tells. False, with
    /// serverError() and errorString(): AddressInUse, SocketAddressNotAvailable, SocketAccess, SocketResource. A server
    /// that listens refuses, and goes on as it was.
    bool listen(const HostAddress& address = HostAddress::Any, std::uint16_t port = 0);

    /// Stops listening, and deletes the connections that nobody has taken yet. Connections that were taken live on.
    void close();
    bool isListening() const noexcept { return engine_ != nullptr; }

    HostAddress serverAddress() const; ///< Null while not listening.
    std::uint16_t serverPort() const;  ///< 0 while not listening.

    int socketDescriptor() const noexcept; ///< −1 while not listening.
    /// Takes over a listening stream socket, which becomes non-blocking and is closed by this object. False, and the
    /// descriptor stays the caller's, with UnsupportedSocketOperation, for anything else.
    bool setSocketDescriptor(int descriptor);

    /// What went wrong last; None after the next operation that succeeds.
    SocketError serverError() const noexcept { return error_; }
    std::string errorString() const { return errorText_; } ///< The same for people, with address and cause.

    /// How many connections may wait to be taken; at 0 or less none is accepted. It is neither a limit on open
    /// connections nor the kernel's backlog.
    void setMaxPendingConnections(int count);
    int maxPendingConnections() const noexcept { return maxPending_; }

    virtual bool hasPendingConnections() const;
    /// The connection that has waited longest, a child of the server; null where none waits. It starts reading now:
    /// no readyRead of it was lost. A client that has gone meanwhile is told of by the signals of its socket.
    virtual TcpSocket* nextPendingConnection();

    /// Waits for a connection, without an event loop and with nothing else of the application running but direct slots
    /// of this server, for at most `msec` milliseconds: a negative time waits for ever, 0 only looks. True where
    /// hasPendingConnections() is. What came and was taken by a slot ends the wait too: false, and not timed out.
    /// `timedOut` is always written; when the time is over, the error is SocketTimeout. Accepts while paused by the
    /// user. Without descriptors or memory it tries again every so often, until its time is over.
    bool waitForNewConnection(int msec = 0, bool* timedOut = nullptr);

    /// The kernel's queue of connections that were not accepted yet, for the next listen(): the system's maximum
    /// (SOMAXCONN) until this is called (listen(2)).
    void setListenBacklogSize(int size) noexcept { backlog_ = size; }
    int listenBacklogSize() const noexcept { return backlog_; }

    /// Stops accepting, or goes on. Harmless while not listening.
    void pauseAccepting();
    void resumeAccepting();

    /// Lets several servers listen at the same port and share its clients, from the next listen() on (socket(7)).
    void setReusePort(bool reuse) noexcept { reusePort_ = reuse; }

    /// A connection was accepted and given to incomingConnection(), whether that queued it or not. A slot may do
    /// anything; take all that wait, because a queued slot is called for each but may come late.
    Signal<> newConnection{this};
    Signal<> pendingConnectionAvailable{this}; ///< A connection was queued; before newConnection of the same one.
    /// Accepting failed and pauses: once an episode, however long it lasts. SocketResource ends by itself.
    Signal<SocketError> acceptError{this};

  protected:
    /// Called for each accepted connection with its descriptor, which is the callee's from here on. This makes a
    /// TcpSocket of it and queues that; one's own may do what it likes.
    virtual void incomingConnection(int socketDescriptor);

    /// Queues a connection for nextPendingConnection(): its reading waits until it is taken. Its parent stays.
    void addPendingConnection(TcpSocket* socket);

    void leavingThread() override;
    void enteredThread() override; ///< Clients that come meanwhile wait in the kernel's backlog.

  private:
    /// Goes on with accepting after an error, later every time.
    class Retry final : public Deadline {
      public:
        explicit Retry(TcpServer& server) noexcept : server_(server) {}
        using Deadline::joinLoop;
        using Deadline::leaveLoop;

      private:
        void dispatch() override { server_.endErrorPause(); }
        TcpServer& server_;
    };

    void engineReady(std::uint32_t ready) override;

    bool hasRoom() const;
    void acceptSome();
    bool acceptFailed(int cause);
    void endErrorEpisode();
    void endErrorPause();
    void observe();
    void startListening(std::unique_ptr<SocketEngine> engine);
    void setError(SocketError error, std::string text);

    std::unique_ptr<SocketEngine> engine_;
    mutable std::deque<Pointer<TcpSocket>> pending_;
    std::string errorText_;
    Retry retry_{*this};
    std::chrono::milliseconds retryAfter_{0};
    Endpoint local_;
    Endpoint incomingPeer_; ///< of the descriptor that incomingConnection() is called with
    int incoming_ = -1;
    int acceptCause_ = 0; ///< errno of the last accept(2) that failed
    int maxPending_ = 30;
    int backlog_ = SOMAXCONN;
    SocketError error_ = SocketError::None;
    std::uint32_t listening_ = 0; ///< counts the times that it began to listen
    std::uint32_t arrivals_ = 0;  ///< counts the connections that were accepted
    bool reusePort_ = false;
    bool pausedByUser_ = false;
    bool pausedByError_ = false;
    bool inErrorEpisode_ = false;
};

} // namespace halyard
