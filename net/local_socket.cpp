#include <halyard/net/local_socket.h>

#include "local_engine.h"

#include <memory>
#include <utility>

namespace halyard {

LocalSocket::LocalSocket(Object* parent) : StreamSocket(parent) {}

void LocalSocket::connectToServer(const std::string& name) {
    if (!isFree("connectToServer() of a socket", false))
        return;
    auto made = std::make_unique<LocalEngine>(engineClient());
    LocalEngine& localEngine = *made;
    begin(std::move(made));
    serverName_ = name;
    connecting(localEngine.connectToName(LocalName(name)));
}

void LocalSocket::adopted(const sockaddr& name) {
    serverName_ = LocalName::of(name, sizeof(sockaddr_un));
    serverName_.erase(serverName_.find_last_not_of('\0') + 1); // how long it is was not said; the rest is empty
    if (serverName_ == "@")
        serverName_.clear();
}

std::string LocalSocket::peerText() const { return serverName_.empty() ? "the local peer" : serverName_; }

std::optional<LocalSocket::Credentials> LocalSocket::peerCredentials() const {
    ucred peer{};
    socklen_t size = sizeof peer;
    constexpr auto nobody = static_cast<uid_t>(-1);
    if (!isValid() || ::getsockopt(socketDescriptor(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        peer.uid == nobody)
        return std::nullopt;
    return Credentials{peer.pid, peer.uid, peer.gid};
}

} // namespace halyard
