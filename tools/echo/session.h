#pragma once

#include <halyard/core/object.h>
#include <halyard/net/tcp_socket.h>

#include <cstdint>
#include <string>

namespace echo {

class Journal;

/// One client of the server: what it sends goes back to it. A child of the client's socket.
///
/// It lives on signals alone, which the loop and the socket's waits emit alike.
class Session : public halyard::Object {
  public:
    Session(halyard::TcpSocket& client, Journal& journal);

  private:
    void echo();
    void noteError(halyard::SocketError error);
    void answer();
    void count(std::int64_t written);
    void end();

    halyard::TcpSocket& client_;
    Journal& journal_;
    std::string how_; ///< the connection came to its end
    std::uint64_t echoed_ = 0;
};

} // namespace echo
