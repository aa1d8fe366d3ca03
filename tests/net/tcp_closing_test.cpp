#include "far_ends.h"
#include "socket_trace.h"
#include "tcp_pair.h"
#include <accepted.h>
#include <plain_socket.h>

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>
#include <pump_peer.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

TEST_CASE("a socket that is closed and deleted at once still delivers what it was given") {
    const std::string all(6'000'000, 'c');
    for (const bool closed : {true, false}) {
        Accepted connection;
        CHECK(connection.socket->write(all) == 6'000'000);
        CHECK(connection.socket->bytesToWrite() > 0);
        if (closed)
            connection.socket->close();
        connection.socket.reset();
        CHECK(pumpPeer(connection.peer) == all);
    }
}

TEST_CASE("what a slot wrote before it deleted the socket is delivered") {
    Accepted connection;
    TcpSocket* const socket = connection.socket.release();
    socket->readyRead.connect([socket] {
        socket->write("the answer to ");
        socket->write(socket->readAll());
        delete socket;
    });
    connection.peer.send("everything");
    CHECK(pumpPeer(connection.peer) == "the answer to everything");
}

TEST_CASE("what was written while connecting is delivered by a socket that was deleted before it stood") {
    const PlainSocket listener = PlainSocket::listening();
    {
        TcpSocket socket;
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        socket.write("early");
    }
    const PlainSocket peer = listener.accept();
    CHECK(pumpPeer(peer) == "early");
}

TEST_CASE("an aborted socket delivers nothing more") {
    Accepted connection;
    connection.socket->write(std::string(20'000'000, 'a'));
    connection.socket->abort();
    connection.socket.reset();
    CHECK(pumpPeer(connection.peer).size() < 20'000'000);
}

TEST_CASE("a deleted socket reads away what it did not want, so that its last words arrive") {
    Accepted connection;
    connection.peer.send(std::string(50'000, 'i'));
    connection.socket->write("last words");
    connection.socket.reset();
    CHECK(connection.peer.receive() == "last words");
}

TEST_CASE("a socket that ends while its peer is sending delivers what it was given, however much comes") {
    const std::string answer(300'000, 'a');
    for (const bool deleted : {false, true}) {
        CAPTURE(deleted);
        TcpPair pair;
        std::string got;
        pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
        pair.near->pauseReading();
        pair.far->write(std::string(3'000'000, 'u'));
        pair.near->write(answer);
        pair.near->disconnectFromHost();
        if (deleted)
            pair.near.reset();
        REQUIRE(pumpUntil([&] { return pair.far->state() == SocketState::Unconnected; }));
        CHECK(got == answer);
    }
}

TEST_CASE("whoever never stops sending is heard out no longer than the closing timeout") {
    TcpPair pair;
    pair.near->setClosingTimeout(40ms);
    pair.near->pauseReading();
    pair.far->setAllowHalfOpen(true);
    const std::string more(50'000, 'u');
    pair.far->bytesWritten.connect([&] { pair.far->write(more); });
    for (int i = 0; i != 20; ++i)
        pair.far->write(more);
    pair.near->disconnectFromHost();
    REQUIRE(pumpUntil([&] { return pair.far->state() == SocketState::Unconnected; }));
    CHECK(pair.far->hasLostOutput());
}

TEST_CASE("where no loop runs, whoever is to be heard out no longer is forgotten when the next one ends") {
    std::thread([] {
        ManualClock clock;
        const PlainSocket listener = PlainSocket::listening(64);
        std::vector<PlainSocket> peers;
        const auto end = [&] {
            TcpSocket socket;
            socket.connectToHost(HostAddress::LocalHost, listener.port());
            CHECK(socket.waitForConnected(5000));
            peers.push_back(listener.accept());
            peers.back().send("are you there?");
            CHECK(socket.waitForReadyRead(5000));
            peers.back().send("hello?");
            socket.disconnectFromHost();
        };
        end();
        const auto before = openDescriptors();
        for (int i = 0; i != 20; ++i) {
            clock.skip(31s);
            end();
        }
        CHECK(openDescriptors() <= before + 20 + 1); // the peers, and the last one
    }).join();
}

TEST_CASE(
    "the last words of a slot of stateChanged hold a closing socket no longer than its timeout, thrown from or not") {
    for (const char how : {'w', 't', 'l'}) { // the slot writes, and throws; it throws, and more is written later
        CAPTURE(how);
        ManualClock clock;
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        socket.stateChanged.connect([&](SocketState state) {
            if (state == SocketState::Closing) {
                if (how != 'l')
                    socket.write(std::string(20'000'000, 'w'));
                if (how != 'w')
                    throw std::runtime_error("out of a slot");
            }
        });
        try {
            socket.disconnectFromHost();
        } catch (const std::runtime_error&) {
            CHECK(how != 'w');
        }
        if (how == 'l')
            socket.write(std::string(20'000'000, 'w'));
        pumpIdle();
        CHECK(socket.state() == SocketState::Closing);
        clock.advance(31s);
        CHECK(socket.state() == SocketState::Unconnected);
        CHECK(socket.error() == SocketError::SocketTimeout);
    }
}

TEST_CASE("a peer that never reads cannot hold a closing socket longer than its timeout") {
    Accepted connection;
    SocketTrace trace(*connection.socket);
    connection.socket->setClosingTimeout(40ms);
    connection.socket->write(std::string(20'000'000, 'c'));
    trace.take();
    connection.socket->close();
    CHECK(trace.take() == "Closing");
    REQUIRE(pumpUntil([&] { return connection.socket->state() == SocketState::Unconnected; }));
    CHECK(connection.socket->error() == SocketError::SocketTimeout);
    CHECK(connection.socket->errorString().ends_with(" did not take in time what was left to send"));
    CHECK(trace.text().ends_with("error(SocketTimeout while Closing) Unconnected readChannelFinished disconnected"));
    pumpPeer(connection.peer);
}

TEST_CASE("nor can it hold what is left of a deleted one") {
    Accepted connection;
    connection.socket->setClosingTimeout(40ms);
    connection.socket->write(std::string(20'000'000, 'c'));
    connection.socket.reset();
    // Only its reset ends this: nobody reads.
    CHECK(pumpUntil([&] {
        char byte = 0;
        return ::send(connection.peer.descriptor(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
    }));
}

TEST_CASE("a thread may end while a deleted socket of it still has something to send") {
    std::thread([] {
        Accepted connection;
        connection.socket->write(std::string(20'000'000, 'c'));
        connection.socket.reset();
        const PlainSocket peer = std::move(connection.peer);
    }).join();
}

TEST_CASE("half close: this side's end is told to the peer, and the other direction goes on") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    socket.setAllowHalfOpen(true);
    const std::string request(3'000'000, 'q');
    socket.write(request);
    socket.shutdownWrite();
    Logged log;
    CHECK(socket.write("too late") == -1);
    CHECK(socket.errorString() == "the socket's writing has been shut down");
    CHECK(log.lines().size() == 1);
    CHECK(pumpPeer(connection.peer) == request);
    CHECK(socket.state() == SocketState::Connected);
    pumpIdle();
    SocketTrace trace(socket);
    connection.peer.send("answer");
    connection.peer.shutdownWrite();
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(trace.text() == "readyRead readChannelFinished Closing Unconnected disconnected");
    CHECK(socket.readAll() == "answer");
    CHECK(socket.error() != SocketError::RemoteHostClosed);
}

TEST_CASE("half close: the peer's end leaves this side's direction open until it is ended too") {
    for (const bool byShutdown : {true, false}) {
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        socket.setAllowHalfOpen(true);
        SocketTrace trace(socket);
        connection.peer.send("request");
        connection.peer.shutdownWrite();
        REQUIRE(pumpUntil([&] { return trace.text().ends_with("readChannelFinished"); }));
        CHECK(trace.take() == "readyRead readChannelFinished");
        pumpIdle();
        CHECK(socket.state() == SocketState::Connected);
        CHECK_FALSE(socket.waitForReadyRead(60'000));
        socket.write("a late answer");
        byShutdown ? socket.shutdownWrite() : socket.disconnectFromHost();
        CHECK(connection.peer.receive() == "a late answer");
        REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
        CHECK(trace.text() == (byShutdown ? "bytesWritten(13) Closing Unconnected disconnected"
                                          : "Closing bytesWritten(13) Unconnected disconnected"));
        CHECK(socket.error() == SocketError::None);
    }
}

TEST_CASE("half close inside slots: the end comes after what the slot wrote") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    socket.readyRead.connect([&] {
        socket.write("one ");
        socket.shutdownWrite();
        socket.shutdownWrite();
    });
    connection.peer.send("?");
    CHECK(pumpPeer(connection.peer) == "one ");
    CHECK(socket.state() == SocketState::Connected);
    connection.peer.close();
    CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(socket.error() == SocketError::RemoteHostClosed);
}

TEST_CASE("half close before the connection stands: the peer sees what was written, and the end") {
    const PlainSocket listener = PlainSocket::listening();
    for (const bool withBytes : {true, false}) {
        TcpSocket socket;
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        if (withBytes)
            socket.write("early");
        socket.shutdownWrite();
        const PlainSocket peer = listener.accept();
        CHECK(pumpPeer(peer) == (withBytes ? "early" : ""));
        peer.send("and back");
        CHECK(pumpUntil([&] { return socket.bytesAvailable() == 8; }));
    }
}

TEST_CASE("a half-open socket hears of it when its peer breaks the connection") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    socket.setAllowHalfOpen(true);
    connection.peer.shutdownWrite();
    bool finished = false;
    socket.readChannelFinished.connect([&] { finished = true; });
    REQUIRE(pumpUntil([&] { return finished; }));
    connection.peer.reset();
    CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(socket.error() == SocketError::RemoteHostClosed);
    CHECK(socket.errorString().find(" broke: ") != std::string::npos);
}

TEST_CASE("a descriptor is given away whole, with what has not been received, and the socket is free") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    connection.peer.send("here");
    REQUIRE(pumpUntil([&] { return socket.bytesAvailable() == 4; }));
    connection.peer.send("there");
    SocketTrace trace(socket);
    const PlainSocket mine(socket.releaseDescriptor());
    REQUIRE(mine.descriptor() >= 0);
    CHECK(trace.text() == "Unconnected readChannelFinished disconnected");
    CHECK(socket.readAll() == "here");
    CHECK(socket.socketDescriptor() == -1);
    CHECK(mine.receiveNow() == "there");
    mine.send("still open");
    CHECK(connection.peer.receive(10) == "still open");
    TcpSocket heir;
    PlainSocket given(::dup(mine.descriptor()));
    CHECK(heir.setSocketDescriptor(given.release()));
}

TEST_CASE("an exception that leaves a slot while the descriptor is given away loses no descriptor") {
    TcpPair pair;
    Connection thrower = pair.near->bytesWritten.connect([] { throw std::runtime_error("out of a slot"); });
    pair.near->write("told of when it is given away");
    CHECK_THROWS(pair.near->releaseDescriptor());
    CHECK(pair.near->state() == SocketState::Connected);
    CHECK(pair.near->isValid());
    thrower.disconnect();
    pair.near->stateChanged.connect([] { throw std::runtime_error("out of a slot"); });
    const auto before = openDescriptors();
    CHECK_THROWS(pair.near->releaseDescriptor());
    CHECK(pair.near->state() == SocketState::Unconnected);
    CHECK(openDescriptors() == before - 1);
}

TEST_CASE("a descriptor stays where something is left to send, and where there is none") {
    Logged log;
    Accepted connection;
    connection.socket->write(std::string(20'000'000, 'r'));
    CHECK(connection.socket->releaseDescriptor() == -1);
    CHECK(connection.socket->state() == SocketState::Connected);
    CHECK(connection.socket->error() == SocketError::Operation);
    connection.socket->abort();
    CHECK(connection.socket->releaseDescriptor() == -1);
    CHECK(log.lines().size() == 2);
}

TEST_CASE("an exception that leaves a slot does not keep a connection from ending") {
    for (const char which : {'e', 'c'}) {
        CAPTURE(which);
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        SocketTrace trace(socket);
        int thrown = 0;
        const auto once = [&] {
            if (++thrown == 1)
                throw std::runtime_error("out of a slot");
        };
        if (which == 'e')
            socket.errorOccurred.connect(once);
        else
            socket.stateChanged.connect(once);
        socket.write("still sent");
        connection.peer.send("x");
        connection.peer.shutdownWrite();
        CHECK_THROWS_AS(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }), std::runtime_error);
        CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
        CHECK(trace.text().ends_with("Unconnected readChannelFinished disconnected"));
        CHECK(socket.peerAddress().isNull());
        CHECK(pumpPeer(connection.peer) == "still sent");
    }
}

TEST_CASE("an exception that leaves a slot of bytesWritten does not keep a connection from ending either") {
    for (const char how : {'a', 'd', 'l'}) { // abort, disconnectFromHost, and the loop after that
        CAPTURE(how);
        TcpPair pair;
        TcpSocket& socket = *pair.near;
        SocketTrace trace(socket);
        socket.bytesWritten.connect([] { throw std::runtime_error("out of a slot"); });
        const std::string much(how == 'l' ? 6'000'000 : 10, 'm');
        socket.write(much);
        if (how == 'a')
            CHECK_THROWS_AS(socket.abort(), std::runtime_error);
        else if (how == 'd')
            CHECK_THROWS_AS(socket.disconnectFromHost(), std::runtime_error);
        else
            socket.disconnectFromHost();
        CHECK((socket.state() == SocketState::Unconnected) == (how != 'l'));
        std::size_t received = 0;
        pair.far->readyRead.connect([&] { received += pair.far->readAll().size(); });
        const auto isOver = [&] {
            return socket.state() == SocketState::Unconnected && pair.far->state() == SocketState::Unconnected;
        };
        for (bool throws = true; throws;) {
            try {
                const bool over = pumpUntil(isOver);
                CHECK(over);
                throws = false;
            } catch (const std::runtime_error&) { // for each piece that the kernel took
            }
        }
        CHECK(trace.text().ends_with("Unconnected readChannelFinished disconnected"));
        CHECK((how == 'a' || received == much.size()));
    }
}

TEST_CASE("what a slot of bytesWritten still writes when the connection is about to end goes out first") {
    for (const char from : {'o', 'p', 'd'}) { // outside, in functions that the loop runs, and where that deletes it
        for (const std::size_t size : {std::size_t{4}, std::size_t{6'000'000}}) {
            CAPTURE(from);
            CAPTURE(size);
            Accepted connection;
            TcpSocket* const socket = connection.socket.release();
            bool more = true;
            socket->bytesWritten.connect([&, socket] {
                if (std::exchange(more, false))
                    CHECK(socket->write(std::string(size, 'm')) == static_cast<std::ptrdiff_t>(size));
            });
            bool lost = false;
            socket->disconnected.connect([&, socket] {
                lost = socket->hasLostOutput();
                socket->deleteLater();
            });
            const auto write = [socket] { socket->write("first"); };
            const auto end = [from, socket] {
                socket->disconnectFromHost();
                if (from == 'd')
                    delete socket;
            };
            if (from == 'o') {
                write();
                end();
            } else {
                EventLoop::current()->post(write);
                EventLoop::current()->post(end);
            }
            const bool all = pumpPeer(connection.peer) == "first" + std::string(size, 'm');
            CHECK(all);
            CHECK_FALSE(more);
            CHECK_FALSE(lost);
        }
    }
}

TEST_CASE(
    "abort() ends the connection whatever the slot of its last bytesWritten does, which still has all that came") {
    for (const char how : {'l', 'd', 'a', 't'}) { // runs the loop, ends the connection in either way, throws
        CAPTURE(how);
        TcpPair pair;
        TcpSocket& socket = *pair.near;
        pair.far->write("unread");
        REQUIRE(pumpUntil([&] { return socket.bytesAvailable() == 6; }));
        const SocketTrace trace(socket);
        socket.bytesWritten.connect([&] {
            if (how == 'l') {
                pair.far->write(" and more");
                CHECK(pumpUntil([&] { return socket.bytesAvailable() == 15; }));
                CHECK(socket.peek() == "unread and more");
            } else if (how == 'd') {
                socket.disconnectFromHost();
            } else if (how == 'a') {
                socket.abort();
            } else {
                throw std::runtime_error("out of a slot");
            }
        });
        socket.write("x");
        if (how == 't')
            CHECK_THROWS_AS(socket.abort(), std::runtime_error);
        else
            socket.abort();
        CHECK(socket.state() == SocketState::Unconnected);
        CHECK(socket.bytesAvailable() == 0);
        CHECK(trace.text().ends_with("Unconnected readChannelFinished disconnected"));
        CHECK(pumpUntil([&] { return pair.far->state() == SocketState::Unconnected; }));
        CHECK((pair.far->errorString().find("reset") == std::string::npos) == (how == 'd'));
    }
}

TEST_CASE("a slot of bytesWritten that never stops writing cannot keep a connection from ending") {
    TcpPair pair;
    pair.near->setClosingTimeout(40ms);
    pair.near->bytesWritten.connect([&] { pair.near->write("more"); });
    pair.near->write("first");
    pair.near->disconnectFromHost();
    pair.far->readyRead.connect([&] { pair.far->readAll(); });
    CHECK(pumpUntil([&] { return pair.near->state() == SocketState::Unconnected; }));
    CHECK(pair.near->error() == SocketError::SocketTimeout);
}

TEST_CASE(
    "a connection that a slot of stateChanged begins and ends has an end of its own, before that of the one before") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    std::string told;
    int connections = 0;
    const auto connectAndEnd = [&] {
        const std::string number = std::to_string(++connections);
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        REQUIRE(socket.waitForConnected(5000));
        told += "begins" + number + ' ';
        socket.disconnectFromHost();
        told += "over" + number + ' ';
    };
    socket.stateChanged.connect([&](SocketState state) {
        if (state == SocketState::Unconnected && connections == 1)
            connectAndEnd();
    });
    socket.readChannelFinished.connect([&] { told += "readChannelFinished "; });
    socket.disconnected.connect([&] { told += "disconnected "; });
    connectAndEnd();
    CHECK(told == "begins1 begins2 readChannelFinished disconnected over2 readChannelFinished disconnected over1 ");
}

TEST_CASE("an exception out of a slot about the end of a connection leaves when all signals of the end have come") {
    struct End {
        const char* name;
        void (*cause)(Accepted&);
    };
    const End ends[] = {
        {"abort", [](Accepted& connection) { connection.socket->abort(); }},
        {"disconnect", [](Accepted& connection) { connection.socket->disconnectFromHost(); }},
        {"the peer's end", [](Accepted& connection) { connection.peer.shutdownWrite(); }},
        {"the peer's reset", [](Accepted& connection) { connection.peer.reset(); }},
        {"silence", [](Accepted& connection) { connection.socket->setReadTimeout(1ms); }},
    };
    for (const End& end : ends) {
        for (const std::string where : {"stateChanged", "readChannelFinished", "both"}) {
            CAPTURE(end.name);
            CAPTURE(where);
            Accepted connection;
            TcpSocket& socket = *connection.socket;
            const SocketTrace trace(socket);
            if (where != "readChannelFinished")
                socket.stateChanged.connect([](SocketState state) {
                    if (state == SocketState::Unconnected)
                        throw std::runtime_error("stateChanged");
                });
            if (where != "stateChanged")
                socket.readChannelFinished.connect([] { throw std::runtime_error("readChannelFinished"); });
            const auto run = [&] {
                end.cause(connection);
                pumpUntil([&] { return socket.state() == SocketState::Unconnected; });
            };
            CHECK_THROWS_WITH_AS(run(), where == "both" ? "stateChanged" : where.c_str(), std::runtime_error);
            CHECK(trace.text().ends_with("Unconnected readChannelFinished disconnected"));
            pumpIdle();
            CHECK(trace.text().find("disconnected") == trace.text().rfind("disconnected"));
        }
    }
}

TEST_CASE("an exception out of a slot about a connection that could not be made does not keep its error back") {
    const Refusing refusing(HostAddress::LocalHost);
    TcpSocket socket;
    const SocketTrace trace(socket);
    socket.stateChanged.connect([](SocketState state) {
        if (state == SocketState::Unconnected)
            throw std::runtime_error("out of a slot");
    });
    socket.connectToHost(HostAddress::LocalHost, refusing.endpoint().port);
    CHECK_THROWS_AS(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }), std::runtime_error);
    CHECK(trace.text().ends_with("Unconnected error(ConnectionRefused while Unconnected)"));
}

TEST_CASE("an exception out of a slot about a connection that stands keeps none of the signals of its beginning back") {
    const PlainSocket listener = PlainSocket::listening();
    for (const SocketState at : {SocketState::HostLookup, SocketState::Connecting, SocketState::Connected}) {
        CAPTURE(nameOf(at));
        TcpSocket socket;
        const SocketTrace trace(socket);
        socket.stateChanged.connect([at](SocketState state) {
            if (state == at)
                throw std::runtime_error("out of a slot");
        });
        const auto run = [&] {
            socket.connectToHost(HostAddress::LocalHost, listener.port());
            pumpUntil([&] { return socket.state() == SocketState::Connected; });
        };
        CHECK_THROWS_AS(run(), std::runtime_error);
        CHECK(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
        CHECK(trace.text() == "HostLookup Connecting hostFound Connected connected");
    }
}

TEST_CASE(
    "an exception out of a slot of readyRead does not keep back that the connection broke, nor its end in order") {
    for (const char which : {'r', 'h'}) {
        CAPTURE(which);
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        const SocketTrace trace(socket);
        if (which == 'r') {
            socket.pauseReading();
            socket.readyRead.connect([] { throw std::runtime_error("out of a slot"); });
        } else {
            socket.setAllowHalfOpen(true);
            socket.shutdownWrite();
            socket.readChannelFinished.connect([] { throw std::runtime_error("out of a slot"); });
        }
        pumpIdle();
        const auto run = [&] {
            if (which == 'r') {
                connection.peer.send("unread");
                connection.peer.reset();
            } else {
                connection.peer.close();
            }
            pumpUntil([&] { return socket.state() == SocketState::Unconnected; });
        };
        CHECK_THROWS_AS(run(), std::runtime_error);
        CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
        CHECK(trace.text() == (which == 'r' ? "readyRead error(RemoteHostClosed while Connected) Closing Unconnected "
                                              "readChannelFinished disconnected"
                                            : "readChannelFinished Closing Unconnected disconnected"));
    }
}

TEST_CASE("an exception out of a slot does not keep back a reset that came in the same turn") {
    for (const char which : {'r', 'w'}) {
        CAPTURE(which);
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        const SocketTrace trace(socket);
        const auto fail = [] { throw std::runtime_error("out of a slot"); };
        if (which == 'r')
            socket.readyRead.connect(fail);
        else
            socket.bytesWritten.connect([&](std::int64_t) { fail(); });
        const auto run = [&] {
            if (which == 'w')
                socket.write("x");
            else
                connection.peer.send("unread");
            connection.peer.reset();
            pumpUntil([&] { return socket.state() == SocketState::Unconnected; });
        };
        CHECK_THROWS_AS(run(), std::runtime_error);
        CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
        CHECK(trace.text().ends_with(
            "error(RemoteHostClosed while Connected) Closing Unconnected readChannelFinished disconnected"));
    }
}

TEST_CASE("a half-open socket whose peer resets it ends, also where a slot throws") {
    Accepted connection;
    TcpSocket& socket = *connection.socket;
    socket.setAllowHalfOpen(true);
    connection.peer.shutdownWrite();
    bool finished = false;
    socket.readChannelFinished.connect([&] { finished = true; });
    REQUIRE(pumpUntil([&] { return finished; }));
    socket.errorOccurred.connect([](SocketError) { throw std::runtime_error("out of a slot"); });
    const auto run = [&] {
        connection.peer.reset();
        pumpUntil([&] { return socket.state() == SocketState::Unconnected; });
    };
    CHECK_THROWS_AS(run(), std::runtime_error);
    CHECK(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
}

TEST_CASE("half close before the connection stands reaches the peer, also where a slot of connected throws") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    socket.connected.connect([] { throw std::runtime_error("out of a slot"); });
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    socket.shutdownWrite();
    CHECK_THROWS_AS(pumpUntil([&] { return false; }), std::runtime_error);
    const PlainSocket peer = listener.accept();
    bool ended = false;
    CHECK(pumpUntilElsewhere([&] {
        peer.receiveNow(&ended);
        return ended;
    }));
}
