// The echo server as a user of Halyard writes it.

#include "plain_socket.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/unix_signal.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <csignal>
#include <cstdio>
#include <string_view>

namespace {

using halyard::TcpSocket;

void echoByCopy(TcpSocket& client) { client.write(client.readAll()); }

void echoInPlace(TcpSocket& client) {
    for (std::string_view bytes = client.peek(); !bytes.empty(); bytes = client.peek()) {
        client.write(bytes);
        client.skip(bytes.size());
    }
}

void serve(TcpSocket& client, bool inPlace) {
    if (inPlace)
        client.readyRead.connect([&client] { echoInPlace(client); });
    else
        client.readyRead.connect([&client] { echoByCopy(client); });
    client.disconnected.connect(&client, &TcpSocket::deleteLater);
}

} // namespace

int main(int argc, char** argv) {
    const bool inPlace = argc > 1 && std::string_view(argv[1]) == "--peek";
    bench::raiseDescriptorLimit();

    halyard::EventLoop loop;
    halyard::UnixSignal terminate(SIGTERM);
    terminate.received.connect(&loop, &halyard::EventLoop::quit);

    halyard::TcpServer server;
    server.newConnection.connect([&server, inPlace] {
        while (TcpSocket* const client = server.nextPendingConnection())
            serve(*client, inPlace);
    });
    if (!server.listen(halyard::HostAddress::LocalHost, 0)) {
        std::fprintf(stderr, "%s\n", server.errorString().c_str());
        return 1;
    }
    bench::announce(server.serverPort());
    return loop.exec();
}
