// The echo server in a dozen lines of tasks. Its first argument is the port, 0 or none for any free one.
#include <halyard/core/event_loop.h>
#include <halyard/core/task.h>
#include <halyard/net/awaitables.h>
#include <halyard/net/tcp_server.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

using namespace halyard;

Task<> echo(TcpSocket& client) {
    while (auto bytes = co_await readSome(client))
        client.write(std::move(*bytes));
    client.deleteLater();
}

Task<> serve(TcpServer& server) {
    while (const auto client = co_await nextConnection(server))
        start(*client, echo(**client));
}

int main(int argc, char** argv) {
    EventLoop loop;
    TcpServer server;
    start(&server, serve(server));
    const auto port = static_cast<std::uint16_t>(argc > 1 ? std::strtol(argv[1], nullptr, 10) : 0);
    if (!server.listen(HostAddress::LocalHost, port))
        return 1;
    std::printf("listening on port %d\n", server.serverPort());
    std::fflush(stdout);
    return loop.exec();
}
