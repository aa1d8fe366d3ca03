#include "serve.h"

#include "exit_code.h"
#include "journal.h"
#include "metrics.h"
#include "session.h"
#include "standard_streams.h"
#include "stop_request.h"

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <memory>

namespace echo {

using halyard::Endpoint;
using halyard::TcpServer;
using halyard::TcpSocket;

int serveOneByOne(const ServeOptions& options) {
    // A wait keeps its deadline when a signal comes, and nothing else can end it from outside: so it looks up
    // now and then. That costs an idle server five wake-ups a second.
    constexpr int slice = 200;
    const StopRequest stop;
    Journal journal(options.logFormat, options.logLevel);
    Metrics metrics(1);

    TcpServer server;
    const Endpoint& where = options.listen.front().endpoint;
    if (!server.listen(where.address, where.port)) {
        complain(server.errorString());
        return Failure;
    }
    journal.listening(Endpoint{server.serverAddress(), server.serverPort()}.toString());
    while (!stop.isMade()) {
        bool timedOut = false;
        if (!server.waitForNewConnection(slice, &timedOut)) {
            if (timedOut)
                continue;
            complain(server.errorString());
            return Failure;
        }
        const std::unique_ptr<TcpSocket> client(server.nextPendingConnection());
        new Session(*client, Endpoint{client->peerAddress(), client->peerPort()}.toString(), options.maxQueued, journal,
                    metrics.of(0));
        while (!stop.isMade() && !client->waitForDisconnected(slice)) {
        }
    }
    journal.stopped(metrics.connections(), metrics.sentBytes());
    return Success;
}

} // namespace echo
