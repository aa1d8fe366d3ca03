#pragma once

#include <halyard/core/log.h>
#include <halyard/core/object.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/stream_socket.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/signals/executor.h>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace halyard {

/// Threads that serve connections. Each has a loop, and a connection lives on one of them from its first moment to its
/// last: its socket is made there, its slots run there. PooledServer accepts for it; a server of one's own hands over
/// what it accepts:
///
///     class Daemon : public TcpServer {
///         void incomingConnection(int descriptor) override {
///             pool_.serve(descriptor, [](TcpSocket* client) { // on a thread of the pool
///                 client->readyRead.connect(client, [client] { client->write(client->readAll()); });
///                 client->disconnected.connect(client, &Object::deleteLater);
///             });
///         }
///         WorkerPool pool_{4};
///     };
///
/// Like a thread it is told to quit(), and then waited for, or heard of by `finished`.
class HALYARD_API WorkerPool : public Object {
  public:
    /// Which worker gets the next connection.
    enum class Balance : std::uint8_t {
        LeastConnections, ///< one that has the fewest, in turn where several have
        RoundRobin,       ///< each in turn
    };

    /// Starts so many threads; 0: as many as the machine has processors. Where the system has fewer left,
    /// the log says so, and size() is smaller.
    explicit WorkerPool(int threads = 0, Object* parent = nullptr);

    /// Closes the connections that there are, and blocks until the threads have ended: quit() and wait().
    ~WorkerPool() override;

    std::size_t size() const noexcept { return workers_.size(); } ///< How many workers it has. Thread-safe.
    bool isValid() const noexcept { return size() != 0; }         ///< Whether it has any. Thread-safe.

    /// For the next connections; LeastConnections until this is called. Thread-safe.
    void setBalance(Balance balance) noexcept { balance_ = balance; }
    Balance balance() const noexcept { return balance_; } ///< Thread-safe.

    /// How many connections each worker has: sockets that were not deleted yet, and what is on its way. Thread-safe.
    std::vector<std::size_t> loads() const;

    /// Makes a socket for a connected descriptor on one of the threads, and calls `handler` with it there, before
    /// anything is read. The socket is a child of something of the worker; delete it when it is done with: it counts
    /// until then. One that is moved to another thread leaves the pool.
    ///
    /// The descriptor is the pool's from here on, whatever becomes of it: what is refused is closed. False, with a
    /// sentence in the log now and then, after quit() and where no worker runs; a descriptor that is no connection is
    /// found out and logged on the worker; one whose peer has reset it by then is closed without a word. `Socket` may
    /// be a class of one's own that can be made with just a parent. Several threads run handlers at the same time; an
    /// exception that leaves one ends the program, as in any Thread. Thread-safe; it costs one task posted from thread
    /// to thread. A connection that ConnectionLimits count brings its permit along: see StreamServer::takePermit().
    template <std::derived_from<StreamSocket> Socket = TcpSocket, std::invocable<Socket*> Handler>
    bool serve(int descriptor, Handler handler, ConnectionPermit permit = {}) {
        class Here final : public Arrival {
          public:
            Here(Unserved&& connection, Handler&& then) : Arrival(std::move(connection)), then_(std::move(then)) {}
            void run() override {
                auto* const socket = new Client<Socket>(arriveAt());
                if (adopt(*socket))
                    std::invoke(then_, socket);
            }

          private:
            Handler then_;
        };
        Unserved connection(descriptor, std::move(permit));
        return send(std::unique_ptr<Arrival>(new Here(std::move(connection), std::move(handler))));
    }

    /// Takes no more connections, and ends each worker when the last of its own has been deleted. Those that are there
    /// after `grace` are closed: what they have written goes as far as the kernel takes it, their slots hear of the
    /// end, the sockets that are the worker's children still are deleted. 0: at once; a negative time: never. May be
    /// called again, to close them earlier. Let the server stop before. Thread-safe.
    void quit(std::chrono::milliseconds grace = std::chrono::milliseconds(0));

    /// Blocks until all workers have ended, as Thread::wait() does; at most so long in real time, for ever with a
    /// negative time. What a worker wants of the waiting thread meanwhile, by a blocking call, it does not get: a
    /// program that has such calls listens to `finished` instead. True when they have ended; false when the time is
    /// over, and, with a logged sentence, on one of the workers. Thread-safe.
    bool wait(std::chrono::milliseconds atMost = std::chrono::milliseconds(-1));

    /// The last worker has ended, after quit(). A slot may do anything.
    Signal<> finished{this};

  private:
    class Worker;

    /// A connection's place among those of its worker, and counted as long as it is held. Worker's thread only.
    class HALYARD_API Place {
      public:
        Place(Worker& worker, StreamSocket& socket) noexcept;
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() { leave(); }
        void leave() noexcept;

      private:
        friend class Worker;
        Worker* worker_;
        StreamSocket& socket_;
        Place* next_;
        Place** previous_;
    };

    template <class Socket>
    class Client final : public Socket {
      public:
        explicit Client(Worker& worker) : Socket(parentAt(worker)), place_(worker, *this) {}

      protected:
        void leavingThread() override {
            place_.leave();
            Socket::leavingThread();
        }

      private:
        Place place_;
    };

    /// A connection that nobody serves yet: it is closed with this.
    class HALYARD_API Unserved {
      public:
        Unserved(int descriptor, ConnectionPermit permit) noexcept
            : permit_(std::move(permit)), descriptor_(descriptor) {}
        Unserved(Unserved&& other) noexcept
            : permit_(std::move(other.permit_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
        Unserved& operator=(Unserved&&) = delete;
        ~Unserved();
        bool moveInto(StreamSocket& socket); ///< False where the socket cannot take it: then it stays here.

      private:
        ConnectionPermit permit_;
        int descriptor_;
    };

    /// One on its way to a worker, where it is counted already.
    class HALYARD_API Arrival : public Runnable {
      public:
        ~Arrival() override;

      protected:
        explicit Arrival(Unserved&& connection) noexcept : connection_(std::move(connection)) {}
        Worker& arriveAt() noexcept { return *std::exchange(worker_, nullptr); } ///< The place counts from here on.
        bool adopt(StreamSocket& socket);                                        ///< If not, it has deleted the socket.

      private:
        friend class WorkerPool;
        Worker* worker_ = nullptr;
        Unserved connection_;
    };

    static Object* parentAt(Worker& worker) noexcept;
    Worker* choose() noexcept;
    bool send(std::unique_ptr<Arrival> arrival);
    void workerEnded();

    std::vector<std::unique_ptr<Worker>> workers_; ///< all of which were started
    std::atomic<Balance> balance_ = Balance::LeastConnections;
    std::atomic<std::uint32_t> turn_ = 0; ///< counts the connections: whose turn it is
    std::atomic<bool> quitting_ = false;
    LogThrottle refusals_;
    std::size_t ended_ = 0;
    Signal<std::chrono::milliseconds> quitAsked_{this};
};

} // namespace halyard
