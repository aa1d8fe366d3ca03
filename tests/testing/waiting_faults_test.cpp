// A server and a client that only wait, without a loop, and every call that they make fails once, in every way.
#include "fault_scenario.h"

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <string>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

const int msec = static_cast<int>(patience().count());

/// As much of the message as comes before an error, in pieces that the kernel has room for: both ends are on this
/// thread.
void pass(TcpSocket& from, TcpSocket& to, std::string_view piece, std::string& received) {
    if (from.write(piece) != static_cast<std::ptrdiff_t>(piece.size()))
        return;
    do
        if (!from.waitForBytesWritten(msec))
            return;
    while (from.bytesToWrite() != 0);
    for (std::size_t got = 0; got < piece.size();) {
        if (to.bytesAvailable() == 0 && !to.waitForReadyRead(msec))
            return;
        const std::string part = to.readAll();
        got += part.size();
        received += part;
    }
}

Outcome wait(const std::string& message) {
    Outcome outcome;
    TcpServer server;
    TcpSocket client;
    const auto note = [&](SocketError error) { outcome.note(error); };
    client.errorOccurred.connect(note);
    if (!server.listen(HostAddress::LocalHost)) {
        outcome.note(server.serverError());
        return outcome;
    }
    client.connectToHost(HostAddress::LocalHost, server.serverPort());
    if (!client.waitForConnected(msec))
        return outcome;
    if (!server.waitForNewConnection(msec)) {
        outcome.note(server.serverError());
        return outcome;
    }
    TcpSocket& served = *server.nextPendingConnection();
    served.errorOccurred.connect(note);
    for (std::size_t at = 0; at < message.size() && outcome.errors.empty(); at += 20'000) {
        pass(client, served, std::string_view(message).substr(at, 20'000), outcome.received);
        pass(served, client, std::string_view(message).substr(at, 20'000), outcome.echoed);
    }
    client.disconnectFromHost();
    client.waitForDisconnected(msec);
    served.abort();
    return outcome;
}

} // namespace

TEST_CASE("whatever call of a wait fails: it is repeated or told, at once, and no byte is lost or there twice") {
    const std::string message = pattern(60'000);
    const auto converse = [](const std::string& text) { return inTime([&] { return wait(text); }); };
    converse(message).check(message);
    const std::uint64_t faults = tryEach({Call::Socket, Call::Bind, Call::Listen, Call::Accept4, Call::Connect,
                                          Call::GetSockOpt, Call::SetSockOpt, Call::GetSockName, Call::GetPeerName,
                                          Call::Recv, Call::Send, Call::Poll, Call::Close},
                                         message, converse);
    MESSAGE("waits have survived ", faults, " faults");
}
