// The fortune server on four threads: this one only accepts. threaded_fortune_server [PORT]
#include "fortunes.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/unix_signal.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/net/worker_pool.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

using namespace halyard;
using namespace std::chrono_literals;

namespace {

class FortuneServer : public TcpServer {
  public:
    /// Nobody new; whoever is still being told his fortune has five seconds.
    void stop() {
        close();
        workers_.quit(5s);
        workers_.wait();
    }

  private:
    void incomingConnection(int descriptor) override {
        workers_.serve(descriptor, [](TcpSocket* client) { // on one of the four
            client->disconnected.connect(client, &Object::deleteLater);
            client->write(randomFortune());
            client->disconnectFromHost();
        });
    }

    WorkerPool workers_{4};
};

} // namespace

int main(int argc, char** argv) {
    EventLoop loop;
    FortuneServer server;
    UnixSignal terminate(SIGTERM);
    terminate.received.connect([&] {
        server.stop();
        loop.quit();
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
