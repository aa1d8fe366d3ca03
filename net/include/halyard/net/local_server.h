#pragma once

#include <halyard/net/local_socket.h>
#include <halyard/net/stream_server.h>

#include <cstddef>
#include <optional>
#include <string>

#include <sys/types.h>

namespace halyard {

/// Listens for connections from programs on the same machine, by a Unix-domain socket.
///
///     LocalServer server;
///     server.newConnection.connect([&] {
///         while (LocalSocket* client = server.nextPendingConnection())
///             if (client->peerCredentials()->user != ::geteuid())
///                 client->abort();
///             else
///                 client->readyRead.connect(client, [client] { client->write(client->readAll()); });
///     });
///     server.setFilePermissions(0600);
///     server.listen("/run/daemon.sock");
///
/// Everything about accepting, pausing, waiting and errors stands in StreamServer.
/// @since 0.1
class HALYARD_API LocalServer : public StreamServer {
  public:
    explicit LocalServer(Object* parent = nullptr); ///< It does not listen yet.

    /// Closes, and deletes its children: the connections it gave out too, unless they were given another parent.
    ~LocalServer() override;

    /// Listens at a path, of at most 107 bytes; or with '@' before it at an abstract name, which has no file and no
    /// permissions, and is gone with the server (Linux, unix(7)). A path that begins with '@' is written "./@".
    ///
    /// A socket file that is left over, because its server has died, is replaced; no other file ever is. close()
    /// removes the file, unless another one has taken its place.
    ///
    /// False, with serverError() and errorString(): AddressInUse where somebody listens there or another file has the
    /// name, SocketAddressNotAvailable where there is no such directory or the name is too long, SocketAccess,
    /// SocketResource, UnsupportedSocketOperation for an empty name. A server that listens refuses, and goes on as it
    /// was.
    bool listen(const std::string& name);

    std::string serverName() const; ///< As listen() was given it; "" while not listening.

    LocalSocket* nextPendingConnection() override;

    /// Who may connect, as chmod(2) has it: from the next listen() on the file has these permissions, before the first
    /// client can connect. Until this is called, what the process's umask(2) leaves of 0777. Who may not write the file
    /// cannot connect.
    void setFilePermissions(mode_t permissions) noexcept { permissions_ = permissions; }

  protected:
    /// Makes a LocalSocket, a child of the server, and queues that.
    void incomingConnection(int socketDescriptor) override;

    /// Queues a connection for nextPendingConnection(): its reading waits until it is taken. Its parent stays.
    void addPendingConnection(LocalSocket* socket) { queue(socket); }

  private:
    using StreamServer::queue; // nothing but a LocalSocket

    std::string localText() const override { return name_; }
    bool adopts(const sockaddr& name, std::size_t length) override;

    std::string name_;
    std::optional<mode_t> permissions_;
};

} // namespace halyard
