#pragma once

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/net/worker_pool.h>
#include <halyard/signals/pointer.h>

#include <functional>
#include <memory>

namespace halyard {

/// A TcpServer whose connections a WorkerPool serves, on its threads:
///
///     WorkerPool pool(4);
///     PooledServer server(pool, [](TcpSocket* client) {
///         client->readyRead.connect(client, [client] { client->write(client->readAll()); });
///         client->disconnected.connect(client, &Object::deleteLater);
///     });
///     server.listen(HostAddress::Any, 7000);
///
/// It only accepts, and queues nothing: newConnection tells that a connection was handed over. Several may share a
/// pool, and close and listen anew; connections live on without their server. It lives on the pool's thread; where that
/// is gone, clients are turned away: clientRefused.
class HALYARD_API PooledServer : public TcpServer {
  public:
    using Handler = std::function<void(TcpSocket*)>; ///< Gets each connection, on the worker's thread.

    /// Calls `handler` for each connection on the thread of its socket: on several threads at once, and also once the
    /// server is gone.
    PooledServer(WorkerPool& pool, Handler handler, Object* parent = nullptr);

  protected:
    void incomingConnection(int socketDescriptor) override;

  private:
    Pointer<WorkerPool> pool_;
    std::shared_ptr<const Handler> handler_;
};

} // namespace halyard
