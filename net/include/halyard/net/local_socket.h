#pragma once

#include <halyard/net/stream_socket.h>

#include <optional>
#include <string>

#include <sys/types.h>

namespace halyard {

/// A connection to a program on the same machine, by a Unix-domain socket: bytes in, bytes out, and signals for what
/// happens to it.
///
///     LocalSocket socket;
///     socket.connected.connect([&] { socket.write("status\n"); });
///     socket.readyRead.connect([&] { std::cout << socket.readAll(); });
///     socket.connectToServer("/run/daemon.sock");
///
/// Everything about bytes, ends, waits and errors stands in StreamSocket. Of that abort() is milder here: the peer sees
/// an end, a reset only where it had sent what was not read (unix(7)).
/// @since 0.1
class HALYARD_API LocalSocket : public StreamSocket {
  public:
    explicit LocalSocket(Object* parent = nullptr); ///< Unconnected.

    /// Starts to connect to the server that listens at this name, see LocalServer::listen(): connected or errorOccurred
    /// comes later, from the loop or in a wait. While the server's backlog is full it goes on trying: see
    /// setConnectTimeout(). Refused unless the socket is unconnected: error Operation, errorOccurred.
    ///
    /// Errors, after stateChanged(Unconnected): HostNotFound where there is nothing of that name, ConnectionRefused
    /// where nobody listens there, SocketAccess, SocketAddressNotAvailable for a name that is too long,
    /// UnsupportedSocketOperation for an empty one.
    void connectToServer(const std::string& name);

    /// What connectToServer() was given; for an accepted or adopted connection the name of the peer's end, which is ""
    /// nearly always. It stays after the end.
    std::string serverName() const { return serverName_; }

    /// Who made the other end.
    struct Credentials {
        pid_t process = 0; ///< Its number, as of the connecting.
        uid_t user = 0;    ///< Its effective user.
        gid_t group = 0;   ///< Its effective group.
    };
    /// As the kernel noted it when the connection was made: for an accepted one who connected, else who listens
    /// (SO_PEERCRED, unix(7)). The process may have ended since. Nothing without a connection.
    std::optional<Credentials> peerCredentials() const;

  private:
    friend class LocalServer;

    std::string peerText() const override;
    void adopted(const sockaddr& name) override;

    std::string serverName_;
};

} // namespace halyard
