// Passes every connection on to another server: tcp_proxy PORT ADDRESS:PORT
#include <halyard/core/event_loop.h>
#include <halyard/net/endpoint.h>
#include <halyard/net/forwarder.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <cstdio>
#include <cstdlib>

using namespace halyard;

int main(int argc, char** argv) {
    const auto target = parseEndpoint(argc > 2 ? argv[2] : "");
    if (!target) {
        std::fputs("usage: tcp_proxy PORT ADDRESS:PORT\n", stderr);
        return 2;
    }
    EventLoop loop;
    TcpServer server;

    server.newConnection.connect([&server, &target] {
        while (TcpSocket* client = server.nextPendingConnection()) {
            auto* const upstream = new TcpSocket(client);
            upstream->connectToHost(target->address, target->port);
            auto* const forwarder = new Forwarder(*client, *upstream, client);
            forwarder->finished.connect(client, &Object::deleteLater);
        }
    });

    if (!server.listen(HostAddress::LocalHost, static_cast<std::uint16_t>(std::strtol(argv[1], nullptr, 10)))) {
        std::fprintf(stderr, "%s\n", server.errorString().c_str());
        return 1;
    }
    std::printf("listening on port %d\n", server.serverPort());
    std::fflush(stdout);
    return loop.exec();
}
