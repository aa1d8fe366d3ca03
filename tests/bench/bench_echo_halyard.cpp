// The echo server as a user of Halyard writes it: on one loop, on the workers of a pool, or on loops that share a port;
// with a limit to the clients' silence, beside many other deadlines.

#include "plain_socket.h"

#include <halyard/core/deadline.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/thread.h>
#include <halyard/core/unix_signal.h>
#include <halyard/net/pooled_server.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/net/worker_pool.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace {

using halyard::Object;
using halyard::PooledServer;
using halyard::TcpServer;
using halyard::TcpSocket;
using halyard::Thread;
using halyard::WorkerPool;

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

void serveAll(TcpServer& server, bool inPlace) {
    server.newConnection.connect([&server, inPlace] {
        while (TcpSocket* const client = server.nextPendingConnection())
            serve(*client, inPlace);
    });
}

bool listenAt(TcpServer& server, std::uint16_t port) {
    if (server.listen(halyard::HostAddress::LocalHost, port))
        return true;
    std::fprintf(stderr, "%s\n", server.errorString().c_str());
    return false;
}

int run(std::uint16_t port) {
    halyard::UnixSignal terminate(SIGTERM);
    terminate.received.connect(halyard::EventLoop::current(), &halyard::EventLoop::quit);
    bench::announce(port);
    return halyard::EventLoop::current()->exec();
}

int runHere(bool inPlace) {
    TcpServer server;
    serveAll(server, inPlace);
    return listenAt(server, 0) ? run(server.serverPort()) : 1;
}

int runPool(int threads) {
    WorkerPool pool(threads);
    PooledServer server(pool, [](TcpSocket* client) { serve(*client, false); });
    return listenAt(server, 0) ? run(server.serverPort()) : 1;
}

int runSharing(int loops) {
    std::vector<std::unique_ptr<Thread>> threads;
    std::uint16_t port = 0;
    while (loops-- > 0) {
        threads.push_back(std::make_unique<Thread>());
        auto* const server = new TcpServer;
        threads.back()->finished.connect(server, &Object::deleteLater);
        serveAll(*server, false);
        server->setReusePort(true);
        if (!listenAt(*server, port) || !threads.back()->start())
            return 1;
        port = server->serverPort();
        server->moveToThread(threads.back().get());
    }
    return run(port);
}

int runWithTimeouts(std::size_t others) {
    struct Idle final : halyard::Deadline {
        Idle() { arm(after(std::chrono::hours(1))); }
        void dispatch() override {}
    };
    const std::vector<Idle> idle(others);

    TcpServer server;
    server.newConnection.connect([&server] {
        while (TcpSocket* const client = server.nextPendingConnection()) {
            client->setReadTimeout(std::chrono::minutes(1));
            serve(*client, false);
        }
    });
    return listenAt(server, 0) ? run(server.serverPort()) : 1;
}

} // namespace

/// [--peek | --pool THREADS | --loops THREADS | --timeouts OTHER_DEADLINES]
int main(int argc, char** argv) {
    const std::string_view how = argc > 1 ? argv[1] : "";
    const long number = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1;
    bench::raiseDescriptorLimit();
    halyard::EventLoop loop;
    if (how == "--pool")
        return runPool(static_cast<int>(number));
    if (how == "--loops")
        return runSharing(static_cast<int>(number));
    return how == "--timeouts" ? runWithTimeouts(static_cast<std::size_t>(number)) : runHere(how == "--peek");
}
