// What the programs beside this file embed: an echo server that counts its clients.
#pragma once

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <cstdio>
#include <cstdlib>

class EchoService : public halyard::Object {
  public:
    EchoService() {
        server_.newConnection.connect(this, [this] {
            while (halyard::TcpSocket* client = server_.nextPendingConnection()) {
                ++clients_;
                client->readyRead.connect(client, [client] { client->write(client->readAll()); });
                client->disconnected.connect(client, &halyard::Object::deleteLater);
            }
        });
    }

    /// At the port that the command line names, or at any.
    bool listen(int argc, char** argv) {
        const auto port = static_cast<std::uint16_t>(argc > 1 ? std::strtol(argv[1], nullptr, 10) : 0);
        const bool listens = server_.listen(halyard::HostAddress::LocalHost, port);
        if (listens)
            std::printf("listening on port %d\n", server_.serverPort());
        else
            std::fprintf(stderr, "%s\n", server_.errorString().c_str());
        std::fflush(stdout);
        return listens;
    }

    void report() const {
        std::printf("%d clients so far\n", clients_);
        std::fflush(stdout);
    }

  private:
    halyard::TcpServer server_;
    int clients_ = 0;
};
