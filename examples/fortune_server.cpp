// Tells a fortune to everybody who connects, and says good bye: fortune_server [PORT]
#include "fortunes.h"

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <cstdio>
#include <cstdlib>

using namespace halyard;

int main(int argc, char** argv) {
    EventLoop loop;
    TcpServer server;

    server.newConnection.connect([&server] {
        while (TcpSocket* client = server.nextPendingConnection()) {
            client->disconnected.connect(client, &Object::deleteLater);
            client->write(randomFortune());
            client->disconnectFromHost(); // when all of it has gone
        }
    });

    const auto port = static_cast<std::uint16_t>(argc > 1 ? std::strtol(argv[1], nullptr, 10) : 0);
    if (!server.listen(HostAddress::LocalHost, port)) {
        std::fprintf(stderr, "%s\n", server.errorString().c_str());
        return 1;
    }
    std::printf("listening on port %d\n", server.serverPort());
    std::fflush(stdout);
    return loop.exec();
}
