#include "serve.h"

#include "exit_code.h"
#include "journal.h"
#include "session.h"
#include "standard_streams.h"
#include "stop_request.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/unix_signal.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <csignal>
#include <memory>

namespace echo {

namespace {

using halyard::EventLoop;
using halyard::TcpServer;
using halyard::TcpSocket;
using halyard::UnixSignal;

bool listen(TcpServer& server, const halyard::Endpoint& where, Journal& journal) {
    if (!server.listen(where.address, where.port)) {
        complain(server.errorString());
        return false;
    }
    journal.listening({server.serverAddress(), server.serverPort()});
    return true;
}

int serveAtOnce(const halyard::Endpoint& where, Journal& journal) {
    EventLoop loop;
    UnixSignal interrupt(SIGINT);
    UnixSignal terminate(SIGTERM);
    for (UnixSignal* each : {&interrupt, &terminate})
        each->received.connect([&loop] { loop.quit(); });

    TcpServer server;
    server.newConnection.connect([&server, &journal] {
        while (TcpSocket* const client = server.nextPendingConnection()) {
            new Session(*client, journal);
            client->disconnected.connect(client, &halyard::Object::deleteLater);
        }
    });
    server.acceptError.connect([&server] { complain(server.errorString()); });
    if (!listen(server, where, journal))
        return Failure;
    return loop.exec();
}

int serveOneByOne(const halyard::Endpoint& where, Journal& journal) {
    // A wait keeps its deadline when a signal comes, and nothing else can end it from outside: so it looks up
    // now and then. That costs an idle server five wake-ups a second.
    constexpr int slice = 200;
    const StopRequest stop;

    TcpServer server;
    if (!listen(server, where, journal))
        return Failure;
    while (!stop.isMade()) {
        bool timedOut = false;
        if (!server.waitForNewConnection(slice, &timedOut)) {
            if (timedOut)
                continue;
            complain(server.errorString());
            return Failure;
        }
        const std::unique_ptr<TcpSocket> client(server.nextPendingConnection());
        new Session(*client, journal);
        while (!stop.isMade() && !client->waitForDisconnected(slice)) {
        }
    }
    return Success;
}

} // namespace

int serve(const halyard::Endpoint& where, Serving how) {
    Journal journal;
    const int code = how == Serving::Blocking ? serveOneByOne(where, journal) : serveAtOnce(where, journal);
    if (code == Success)
        journal.stopped();
    return code;
}

} // namespace echo
