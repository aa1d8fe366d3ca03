#include <halyard/net/local_server.h>

#include "local_engine.h"
#include "unclaimed_descriptor.h"

#include <cerrno>
#include <memory>
#include <utility>

namespace halyard {

LocalServer::LocalServer(Object* parent) : StreamServer(parent) {}

LocalServer::~LocalServer() { close(); }

bool LocalServer::listen(const std::string& name) {
    if (!isFree("LocalServer::listen()"))
        return false;
    name_ = name;
    auto engine = std::make_unique<LocalListener>(engineClient());
    const int result = engine->listenAtName(LocalName(name), listenBacklogSize(), permissions_);
    if (start(std::move(engine), result))
        return true;
    if (result == ENOENT) // a directory is missing: no host was looked for
        setError(SocketError::SocketAddressNotAvailable, errorString());
    return false;
}

bool LocalServer::adopts(const sockaddr& name, std::size_t length) {
    name_ = LocalName::of(name, length);
    return name.sa_family == AF_UNIX;
}

std::string LocalServer::serverName() const { return isListening() ? name_ : std::string(); }

void LocalServer::incomingConnection(int socketDescriptor) {
    UnclaimedDescriptor unclaimed(socketDescriptor);
    auto socket = std::make_unique<LocalSocket>(this);
    socket->beginAccepted(socketDescriptor);
    unclaimed.claimed();
    queueAccepted(std::move(socket));
}

LocalSocket* LocalServer::nextPendingConnection() {
    return static_cast<LocalSocket*>(StreamServer::nextPendingConnection());
}

} // namespace halyard
