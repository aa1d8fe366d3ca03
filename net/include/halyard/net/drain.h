#pragma once

#include <halyard/core/object.h>
#include <halyard/core/timer.h>

#include <chrono>
#include <cstddef>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace halyard {

class StreamServer;
class StreamSocket;

/// The graceful end of a server: nobody new is accepted, who is there may finish, and at a deadline the rest is closed.
///
///     Drain drain;
///     drain.add(server);
///     server.newConnection.connect([&] {
///         while (TcpSocket* client = server.nextPendingConnection()) {
///             drain.add(*client);
///             serve(*client);
///         }
///     });
///     UnixSignal terminate(SIGTERM);
///     terminate.received.connect([&] { drain.start(30s); });
///     drain.finished.connect([&] { loop.quit(); });
///
/// For the servers and connections of one thread, its own.
/// @since 0.1
class HALYARD_API Drain : public Object {
  public:
    explicit Drain(Object* parent = nullptr); ///< Nothing is drained yet.

    /// A server that start() is to stop. It may die before.
    void add(StreamServer& server);
    /// A connection that is to finish: until it is unconnected, or deleted. One that comes after start() counts too.
    /// What is unconnected when start() is called, or added after that, is not waited for.
    void add(StreamSocket& connection);
    /// Something else that is to finish: until it is deleted. At the deadline it is not waited for any more.
    void waitFor(Object& object);

    std::size_t connections() const noexcept { return connections_.size(); } ///< That have not ended.
    bool isStarted() const noexcept { return started_; }                     ///< start() was called.

    /// Accepts who waits in the kernel's backlogs already (for them the connection stands, closing would reset it),
    /// closes the servers, emits `started`, and waits for the connections. Those that are there after `grace` are
    /// closed: what they have written goes as far as the kernel takes it. 0: at once; a negative time: never. May be
    /// called again, to close them at another time. What a slot throws keeps none of that from being done, and leaves
    /// then.
    ///
    /// A server that has as many connections as it may (StreamServer::setLimits(), setMaxPendingConnections()) accepts
    /// nobody for it: who waits in its backlog is reset, unless the limit is raised before.
    void start(std::chrono::milliseconds grace = std::chrono::milliseconds(-1));

    Signal<> started{this};  ///< For connections that can end between two requests. Once; a slot may do anything.
    Signal<> finished{this}; ///< Nothing is left. Once, from the loop; a slot may do anything.

  private:
    void stop(StreamServer& server);
    void finishIn(std::chrono::milliseconds grace);
    void closeAll();
    void forget(const Object* gone);
    void look();

    std::vector<Pointer<StreamServer>> servers_;
    std::unordered_map<const Object*, StreamSocket*> connections_;
    std::unordered_set<const Object*> others_;
    Timer* deadline_;
    bool started_ = false;
    bool finished_ = false;
};

} // namespace halyard
