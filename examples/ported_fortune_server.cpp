// Tells each client a fortune and says good bye.
#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>

using namespace halyard;

class FortuneServer : public Object {
  public:
    FortuneServer() { server_.newConnection.connect(this, &FortuneServer::answer); }

    bool listen(std::uint16_t port) {
        const bool listens = server_.listen(HostAddress::LocalHost, port);
        if (listens)
            std::printf("listening on port %d\n", server_.serverPort());
        else
            std::fprintf(stderr, "%s\n", server_.errorString().c_str());
        std::fflush(stdout);
        return listens;
    }

  private:
    void answer() {
        while (TcpSocket* client = server_.nextPendingConnection()) {
            client->disconnected.connect(client, &Object::deleteLater);
            client->write(fortunes_.at(next_++ % fortunes_.size()));
            client->disconnectFromHost();
        }
    }

    TcpServer server_;
    const std::array<std::string, 3> fortunes_{"You will leave a trail of happy clients.\n",
                                               "A port in use is a port worth having.\n",
                                               "Today you will wait for nothing in vain.\n"};
    std::size_t next_ = 0;
};

int main(int argc, char** argv) {
    EventLoop loop;
    FortuneServer server;
    const auto port = static_cast<std::uint16_t>(argc > 1 ? std::strtol(argv[1], nullptr, 10) : 0);
    return server.listen(port) ? loop.exec() : 1;
}
