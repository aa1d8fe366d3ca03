#include <halyard/net/pooled_server.h>

#include <halyard/core/log.h>

#include <utility>

#include <unistd.h>

namespace halyard {

PooledServer::PooledServer(WorkerPool& pool, Handler handler, Object* parent)
    : TcpServer(parent), pool_(&pool), handler_(std::make_shared<const Handler>(std::move(handler))) {}

void PooledServer::incomingConnection(int socketDescriptor) {
    if (pool_) {
        pool_->serve(socketDescriptor, [handler = handler_](TcpSocket* client) { (*handler)(client); });
        return;
    }
    ::close(socketDescriptor);
    logMessage(LogLevel::Warning, "halyard.net", "PooledServer: a client is turned away, its pool is gone");
}

} // namespace halyard
