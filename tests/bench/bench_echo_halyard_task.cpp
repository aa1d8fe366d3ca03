// The echo server of bench_echo_halyard as a user of tasks writes it, on one loop.

#include "plain_socket.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/task.h>
#include <halyard/core/unix_signal.h>
#include <halyard/net/awaitables.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <csignal>
#include <cstdio>
#include <string_view>
#include <utility>

namespace {

using halyard::Task;
using halyard::TcpServer;
using halyard::TcpSocket;

Task<> echoByCopy(TcpSocket& client) {
    while (auto bytes = co_await halyard::readSome(client))
        client.write(std::move(*bytes));
    client.deleteLater();
}

Task<> echoInPlace(TcpSocket& client) {
    while (co_await halyard::readable(client)) {
        const std::string_view bytes = client.peek();
        client.write(bytes);
        client.skip(bytes.size());
    }
    client.deleteLater();
}

Task<> serve(TcpServer& server, bool inPlace) {
    while (const auto client = co_await halyard::nextConnection(server))
        halyard::start(*client, inPlace ? echoInPlace(**client) : echoByCopy(**client));
}

} // namespace

/// [--peek]
int main(int argc, char** argv) {
    const std::string_view how = argc > 1 ? argv[1] : "";
    bench::raiseDescriptorLimit();
    halyard::EventLoop loop;
    TcpServer server;
    halyard::start(&server, serve(server, how == "--peek"));
    if (!server.listen(halyard::HostAddress::LocalHost)) {
        std::fprintf(stderr, "%s\n", server.errorString().c_str());
        return 1;
    }
    halyard::UnixSignal terminate(SIGTERM);
    terminate.received.connect(&loop, &halyard::EventLoop::quit);
    bench::announce(server.serverPort());
    return loop.exec();
}
