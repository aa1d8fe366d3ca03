#include <halyard/net/pooled_server.h>

#include <utility>

#include <unistd.h>

namespace halyard {

PooledServer::PooledServer(WorkerPool& pool, Handler handler, Object* parent)
    : TcpServer(parent), pool_(&pool), handler_(std::make_shared<const Handler>(std::move(handler))) {}

void PooledServer::incomingConnection(int socketDescriptor) {
    if (pool_) {
        pool_->serve(
            socketDescriptor, [handler = handler_](TcpSocket* client) { (*handler)(client); }, takePermit());
        return;
    }
    ::close(socketDescriptor);
    tellOfRefusal(incomingPeer(socketDescriptor), "the server's pool is gone");
}

} // namespace halyard
