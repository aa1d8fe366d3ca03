// A server and a client that talk over one loop, and every call that they make fails once, in every way.
#include "echo_scenario.h"
#include <accepted.h>

#include <halyard/signals/pointer.h>

#include <logged.h>
#include <pump_peer.h>

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include <sys/socket.h>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;
using namespace std::chrono_literals;

TEST_CASE("whatever call of an echo fails: it is repeated or told, and no byte is lost or there twice") {
    const std::string message = pattern(600'000);
    converse(message).check(message); // the loop makes what it needs for itself
    const std::uint64_t faults =
        tryEach({Call::Socket, Call::Bind, Call::Listen, Call::Accept4, Call::Connect, Call::GetSockOpt,
                 Call::SetSockOpt, Call::GetSockName, Call::GetPeerName, Call::Recv, Call::Send, Call::SendMsg,
                 Call::Close, Call::EpollCtl, Call::EpollWait},
                message, converse);
    MESSAGE("an echo has survived ", faults, " faults");
}

TEST_CASE("however little is transferred at a time, and however often a call is to be repeated, all of it arrives") {
    const std::string message = pattern(3'000);
    for (const std::size_t most : {1U, 7U, 1000U}) {
        CAPTURE(most);
        Faults faults;
        for (const Call call : {Call::Recv, Call::Send, Call::SendMsg})
            faults.shorten(call, most);
        const Outcome outcome = converse(message);
        outcome.check(message);
        CHECK(outcome.isComplete(message));
    }
    for (std::uint64_t seed = 1; seed != 40; ++seed) {
        CAPTURE(seed);
        Faults faults;
        for (const Call call : {Call::Recv, Call::Send, Call::SendMsg, Call::Accept4})
            faults.fail(call, EAGAIN, When::byChance(0.3, seed))
                .fail(call, EINTR, When::byChance(0.3, seed + 1000))
                .shorten(call, 100 * seed, When::byChance(0.5, seed + 2000));
        faults.fail(Call::EpollWait, EINTR, When::byChance(0.3, seed)).shorten(Call::EpollWait, 1);
        const Outcome outcome = converse(message);
        outcome.check(message);
        CHECK(outcome.isComplete(message));
        CHECK(faults.injected() != 0);
    }
}

TEST_CASE("with everything failing by chance, what is not there is told") {
    Logged log;
    const std::string message = pattern(100'000);
    const std::ptrdiff_t before = descriptors();
    int complete = 0;
    for (std::uint64_t seed = 1; seed != 300; ++seed) {
        CAPTURE(seed);
        Faults faults;
        for (const Call call : {Call::Socket, Call::Accept4, Call::Connect, Call::GetSockOpt, Call::SetSockOpt,
                                Call::Recv, Call::Send, Call::SendMsg, Call::Close})
            for (const int error : errorsOf(call))
                faults.fail(call, error, When::byChance(0.002, seed * 100 + static_cast<std::uint64_t>(error)));
        const Outcome outcome = converse(message);
        outcome.check(message);
        complete += outcome.isComplete(message) ? 1 : 0;
    }
    CHECK(complete > 30);
    CHECK(complete < 290);
    CHECK(pumpUntil([&] { return descriptors() == before; }));
}

TEST_CASE("behind bytes that could not be sent nothing follows, nor an end that looks like that of all") {
    for (const char how : {'w', 'q', 'd', 's', 'r', 'x', 'l', 'c'}) {
        CAPTURE(how);
        Logged log;
        Accepted connection;
        TcpSocket* const socket = connection.socket.release();
        const Pointer<TcpSocket> guard(socket);
        socket->errorOccurred.connect([&] {
            CHECK(socket->hasLostOutput());
            if (how == 'w')
                CHECK(socket->write("behind") == 6);
            else if (how == 'q')
                CHECK(socket->waitForDisconnected(5000));
            else if (how == 'd')
                socket->disconnectFromHost();
            else if (how == 's')
                socket->shutdownWrite();
            else if (how == 'r')
                CHECK(socket->releaseDescriptor() == -1);
            else if (how == 'x')
                delete socket;
            else if (how == 'l')
                CHECK_FALSE((socket->write("behind") == 6 && socket->waitForBytesWritten(5000)));
        });
        socket->stateChanged.connect([&](SocketState state) {
            if (how == 'c' && state == SocketState::Closing)
                CHECK(socket->write("behind") == -1);
        });
        Faults faults;
        faults.fail(Call::Send, ENOBUFS, When::once());
        CHECK(socket->write("lost") == 4);
        CHECK(pumpUntil([&] { return !guard || guard->state() == SocketState::Unconnected; }));
        CHECK(pumpReset(connection.peer)); // with a byte or an end before it, it would not be
        delete guard.get();
    }
}

TEST_CASE("a send that has failed is told of, however long the peer goes on sending") {
    for (const bool paused : {false, true}) {
        CAPTURE(paused);
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        std::size_t received = 0;
        socket.readyRead.connect([&] { received += socket.readAll().size(); });
        if (paused)
            socket.pauseReading();
        std::thread sending([&] {
            const std::string piece(64 * 1024, 'm');
            while (::send(connection.peer.descriptor(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
            }
        });
        REQUIRE(pumpUntil([&] { return paused || received != 0; }));
        Faults faults;
        faults.fail(Call::Send, ENOBUFS, When::once());
        faults.delay(Call::Recv, 1ms); // the peer is the faster one
        CHECK(socket.write("lost") == 4);
        CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
        CHECK(socket.error() == SocketError::SocketResource);
        socket.abort();
        sending.join();
    }
}

TEST_CASE("what a slot of the last bytesWritten writes, and cannot be sent, makes the end a reset too") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    Faults faults;
    socket.bytesWritten.connect([&] {
        if (faults.injected() == 0) {
            faults.fail(Call::Send, ENOBUFS, When::once());
            CHECK(socket.write("lost") == 4);
        }
    });
    CHECK(socket.write("sent") == 4);
    socket.disconnectFromHost();
    CHECK(socket.hasLostOutput());
    CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(connection.peer.receive(4) == "sent");
    CHECK(pumpReset(connection.peer));
}

TEST_CASE("a connection that has lost bytes ends where a slot of its error throws, half open too") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    socket.setAllowHalfOpen(true);
    bool ended = false;
    socket.readChannelFinished.connect([&] { ended = true; });
    connection.peer.shutdownWrite();
    REQUIRE(pumpUntil([&] { return ended; }));
    socket.errorOccurred.connect([&] {
        socket.write("behind");
        throw std::runtime_error("out of a slot");
    });
    Faults faults;
    faults.fail(Call::Send, ENOBUFS, When::once());
    CHECK(socket.write("lost") == 4);
    const auto isOver = [&] { return socket.state() == SocketState::Unconnected; };
    CHECK_THROWS_AS(pumpUntil(isOver), std::runtime_error);
    CHECK(pumpUntil(isOver));
    CHECK(pumpReset(connection.peer));
}
