// A server that sends a piece of a file between other bytes, in one loop with its client, and every call that it makes
// for that fails once, in every way.
#include "fault_scenario.h"

#include <plain_socket.h>

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include <sys/mman.h>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

constexpr std::size_t before = 3'000;
constexpr std::size_t behind = 200'000;

/// The middle of the message is a file's.
Outcome serve(const std::string& message) {
    Outcome outcome;
    const PlainSocket file(::memfd_create("message", MFD_CLOEXEC)); // any descriptor closes itself in one
    if (::write(file.descriptor(), message.data(), message.size()) != static_cast<ssize_t>(message.size()))
        return outcome;
    TcpServer server;
    std::unique_ptr<TcpSocket> served;
    TcpSocket client;
    const auto note = [&outcome](SocketError error) { outcome.note(error); };
    server.acceptError.connect(note);
    server.newConnection.connect([&] {
        served.reset(server.nextPendingConnection());
        served->setParent(nullptr);
        served->errorOccurred.connect(note);
        const std::string_view all = message;
        served->write(all.substr(0, before));
        if (served->sendFile(file.descriptor(), before, all.size() - before - behind)) {
            served->write(all.substr(all.size() - behind));
            served->disconnectFromHost();
        } else {
            note(served->error());
            served->abort();
        }
    });
    client.errorOccurred.connect([&](SocketError error) {
        if (error != SocketError::RemoteHostClosed || outcome.received.size() != message.size())
            outcome.note(error);
    });
    client.readyRead.connect([&] { outcome.received += client.readAll(); });
    if (!server.listen(HostAddress::LocalHost)) {
        note(server.serverError());
        outcome.ended = true;
        return outcome;
    }
    client.connectToHost(HostAddress::LocalHost, server.serverPort());
    outcome.ended = pumpUntil([&] {
        return client.state() == SocketState::Unconnected &&
               (served == nullptr || served->state() == SocketState::Unconnected);
    });
    outcome.echoed = outcome.received;
    return outcome;
}

} // namespace

TEST_CASE("whatever call fails while a file is sent: it is repeated or told, and no byte is lost or there twice") {
    const std::string message = pattern(900'000);
    CHECK(serve(message).isComplete(message));
    const std::uint64_t faults =
        tryEach({Call::SendFile, Call::Fcntl, Call::Send, Call::SendMsg, Call::Recv, Call::EpollCtl, Call::Close},
                message, serve);
    MESSAGE("a file that is sent has survived ", faults, " faults");
    CHECK((std::signal(SIGPIPE, SIG_DFL) == SIG_DFL)); // it is not what kept the program alive
}

TEST_CASE("however little of a file is sent at a time, and however often that is to be repeated, all of it arrives") {
    const std::string message = pattern(900'000);
    std::uint64_t injected = 0;
    for (std::uint64_t seed = 1; seed != 40; ++seed) {
        CAPTURE(seed);
        Faults faults;
        faults.fail(Call::SendFile, EAGAIN, When::byChance(0.3, seed))
            .fail(Call::SendFile, EINTR, When::byChance(0.3, seed + 1000))
            .shorten(Call::SendFile, 1 + 2'000 * seed, When::byChance(0.7, seed + 2000));
        const Outcome outcome = serve(message);
        outcome.check(message);
        CHECK(outcome.isComplete(message));
        injected += faults.injected();
    }
    CHECK(injected > 100);
}
