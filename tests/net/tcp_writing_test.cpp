#include "both_ways.h"
#include "socket_trace.h"
#include "tcp_pair.h"
#include <accepted.h>
#include <plain_socket.h>

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_socket.h>

#include <counted_sigpipe.h>
#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using namespace halyard;
using namespace halyard::test;

namespace {

/// A file that is gone with its descriptor.
class TemporaryFile {
  public:
    explicit TemporaryFile(std::string_view bytes) {
        char name[] = "/tmp/halyard-test-XXXXXX";
        descriptor_ = ::mkstemp(name);
        ::unlink(name);
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written <= 0)
                break;
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { close(); }

    int descriptor() const noexcept { return descriptor_; }
    void close() noexcept {
        if (descriptor_ >= 0)
            ::close(std::exchange(descriptor_, -1));
    }

  private:
    int descriptor_;
};

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i != size; ++i)
        text[i] = static_cast<char>((i * 2654435761U) >> 11);
    return text;
}

} // namespace

TEST_CASE("the watermarks are told of by the loop, full once, drained once, and again") {
    TcpPair pair;
    pair.far->pauseReading();
    int full = 0;
    int drained = 0;
    bool insideWrite = false;
    bool toldInside = false;
    pair.near->writeBufferFull.connect([&] {
        ++full;
        toldInside = toldInside || insideWrite;
    });
    pair.near->writeBufferDrained.connect([&] {
        ++drained;
        CHECK(pair.near->bytesToWrite() <= 100'000);
    });
    pair.near->setWriteBufferWatermarks(100'000, 1'000'000);
    for (int round = 1; round != 3; ++round) {
        insideWrite = true;
        while (pair.near->bytesToWrite() < 3'000'000)
            pair.near->write(std::string(500'000, 'w'));
        insideWrite = false;
        REQUIRE(pumpUntil([&] { return full == round; }));
        pumpIdle();
        CHECK(full == round);
        CHECK(drained == round - 1);
        pair.far->readyRead.connect([&] { pair.far->readAll(); });
        pair.far->resumeReading();
        REQUIRE(pumpUntil([&] { return pair.near->bytesToWrite() == 0; }));
        REQUIRE(pumpUntil([&] { return drained == round; }));
        pumpIdle();
        CHECK(drained == round);
        pair.far->pauseReading();
    }
    CHECK_FALSE(toldInside);
}

TEST_CASE("a buffer that fills and drains within a slot tells both, in this order") {
    TcpPair pair;
    std::string told;
    pair.near->writeBufferFull.connect([&] { told += "full "; });
    pair.near->writeBufferDrained.connect([&] { told += "drained "; });
    pair.near->setWriteBufferWatermarks(0, 100);
    EventLoop::current()->post([&] { pair.near->write(std::string(200, 'x')); });
    REQUIRE(pumpUntil([&] { return told.ends_with("drained "); }));
    pumpIdle();
    CHECK(told == "full drained ");
}

TEST_CASE("the limit refuses a write by what is already queued, and an empty queue takes any") {
    Logged log;
    TcpPair pair;
    pair.far->pauseReading();
    pair.near->setWriteBufferLimit(1000);
    CHECK(pair.near->write(std::string(30'000'000, 'l')) == 30'000'000);
    CHECK(pair.near->bytesToWrite() > 1000);
    SocketTrace trace(*pair.near);
    CHECK(pair.near->write("x") == -1);
    CHECK(pair.near->error() == SocketError::SocketResource);
    CHECK(pair.near->errorString().starts_with("the write buffer is full"));
    std::string owned(100'000, 'o');
    CHECK(pair.near->write(std::move(owned)) == -1);
    CHECK(owned.size() == 100'000); // NOLINT(bugprone-use-after-move): what is refused stays the caller's
    CHECK(log.lines().empty());
    CHECK(trace.text().empty());
    pair.far->readyRead.connect([&] { pair.far->readAll(); });
    pair.far->resumeReading();
    REQUIRE(pumpUntil([&] { return pair.near->bytesToWrite() == 0; }));
    CHECK(pair.near->write("x") == 1);
}

TEST_CASE("a long string that is moved in is not copied") {
    TcpPair pair;
    EventLoop::current()->post([&] {
        std::string owned(100'000, 'o');
        CHECK(pair.near->write(std::move(owned)) == 100'000);
        CHECK(owned.empty()); // NOLINT(bugprone-use-after-move): that it was taken is what is asked
    });
    std::string got;
    pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
    REQUIRE(pumpUntil([&] { return got.size() == 100'000; }));
    std::string outside(100'000, 'p');
    CHECK(pair.near->write(std::move(outside)) == 100'000);
    REQUIRE(pumpUntil([&] { return got.size() == 200'000; }));
    CHECK(got == std::string(100'000, 'o') + std::string(100'000, 'p'));
}

TEST_CASE("a string that is moved into a write is left alone where that is refused") {
    TcpSocket socket; // not connected
    Logged log;
    for (const std::size_t size : {10U, 1'000U, 100'000U}) {
        std::string text(size, 'x');
        CHECK(socket.write(std::move(text)) == -1);
        CHECK(text == std::string(size, 'x')); // NOLINT(bugprone-use-after-move)
    }
    CHECK(log.linesWith("not connected") == 3);
}

TEST_CASE("a file is sent in its place among what is written, and bytesWritten sums to all of it") {
    const std::string content = pattern(5'000'000);
    TemporaryFile file(content);
    for (const bool inSlot : {false, true}) {
        CAPTURE(inSlot);
        TcpPair pair;
        std::int64_t told = 0;
        pair.near->bytesWritten.connect([&](std::int64_t n) { told += n; });
        std::string got;
        pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
        const auto send = [&] {
            const int other = ::dup(file.descriptor());
            CHECK(pair.near->write("<head>") == 6);
            CHECK(pair.near->sendFile(other, 0, 5'000'000));
            CHECK(pair.near->sendFile(other, 4'999'990, 10));
            ::close(other); // it was duplicated
            CHECK(pair.near->write("<tail>") == 6);
            CHECK(pair.near->sendFile(file.descriptor(), 7, 1));
            CHECK(pair.near->bytesToWrite() > 0);
            CHECK(pair.near->sendFile(file.descriptor(), 0, 0));
        };
        if (inSlot)
            EventLoop::current()->post(send);
        else
            send();
        const std::string all = "<head>" + content + content.substr(4'999'990) + "<tail>" + content[7];
        REQUIRE(pumpUntil([&] { return got.size() >= all.size() && told == static_cast<std::int64_t>(all.size()); }));
        CHECK(got == all);
        CHECK(pair.near->bytesToWrite() == 0);
    }
}

TEST_CASE("a file is sent by a socket that is closed, by one that is deleted, and in waits") {
    const std::string content = pattern(4'000'000);
    const TemporaryFile file(content);
    for (const char how : {'c', 'd', 'w'}) {
        CAPTURE(how);
        TcpPair pair;
        std::string got;
        pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
        CHECK(pair.near->sendFile(file.descriptor(), 0, content.size()));
        if (how == 'c')
            pair.near->disconnectFromHost();
        else if (how == 'd')
            pair.near.reset();
        else
            CHECK(pair.near->waitForBytesWritten(5000));
        REQUIRE(pumpUntil([&] { return got.size() == content.size(); }));
        CHECK(got == content);
    }
}

TEST_CASE("what is written to a connection that has broken is lost output, from outside and in a slot") {
    for (const bool inSlot : {false, true}) {
        CAPTURE(inSlot);
        PlainSocket listener = PlainSocket::listening();
        TcpSocket socket;
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        REQUIRE(socket.waitForConnected(msecOfPatience()));
        PlainSocket peer = listener.accept();
        peer.reset();
        std::ptrdiff_t taken = 0;
        const auto write = [&] { taken = socket.write("too late"); };
        if (inSlot)
            EventLoop::current()->post(write);
        else
            write();
        REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
        CHECK(socket.hasLostOutput() == (taken == 8));
    }
}

TEST_CASE("what a slot of bytesWritten writes while the socket ends is told of too, or is lost output") {
    for (const bool resets : {false, true}) {
        CAPTURE(resets);
        const TcpPair pair;
        std::int64_t told = 0;
        std::int64_t written = 0;
        const auto write = [&] { written += pair.near->write("some more"); };
        pair.near->bytesWritten.connect([&](std::int64_t bytes) {
            told += bytes;
            if (written < 30)
                write();
        });
        write(); // which is told of when the socket ends
        if (resets)
            pair.near->abort();
        else
            pair.near->disconnectFromHost();
        CHECK(pair.near->state() == (resets ? SocketState::Unconnected : SocketState::Closing));
        CHECK(pumpUntil([&] { return pair.near->state() == SocketState::Unconnected; }));
        CHECK(written > 9);
        CHECK((told == written) != pair.near->hasLostOutput());
        CHECK(pair.near->hasLostOutput() == resets);
        if (!resets) {
            CHECK(pumpUntil([&] { return pair.far->state() == SocketState::Unconnected; }));
            CHECK(static_cast<std::int64_t>(pair.far->bytesAvailable()) == written);
        }
    }
}

TEST_CASE("what cannot be sent as a file is refused with a sentence") {
    Logged log;
    TcpPair pair;
    const TemporaryFile file("0123456789");
    int pipes[2];
    REQUIRE(::pipe(pipes) == 0);
    const int writeOnly = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK_FALSE(pair.near->sendFile(file.descriptor(), 0, 11));
    CHECK_FALSE(pair.near->sendFile(file.descriptor(), -1, 1));
    CHECK_FALSE(pair.near->sendFile(file.descriptor(), 11, 0));
    CHECK_FALSE(pair.near->sendFile(pipes[0], 0, 1));
    CHECK_FALSE(pair.near->sendFile(writeOnly, 0, 1));
    CHECK_FALSE(pair.near->sendFile(-1, 0, 1));
    CHECK(pair.near->error() == SocketError::UnsupportedSocketOperation);
    CHECK(pair.near->errorString() == "cannot send the file: Bad file descriptor");
    CHECK(log.linesWith("cannot send the file") == 6);
    ::close(pipes[0]);
    ::close(pipes[1]);
    ::close(writeOnly);
    pair.near->abort();
    CHECK_FALSE(pair.near->sendFile(file.descriptor(), 0, 1));
    CHECK(pair.near->error() == SocketError::Operation);
}

TEST_CASE("a file that has become shorter breaks the connection, so that nobody takes its beginning for all of it") {
    TcpPair pair;
    pair.far->pauseReading();
    const TemporaryFile file(pattern(20'000'000));
    CHECK(pair.near->sendFile(file.descriptor(), 0, 20'000'000));
    REQUIRE(::ftruncate(file.descriptor(), 1000) == 0);
    pair.far->resumeReading();
    REQUIRE(pumpUntil([&] {
        return pair.near->state() == SocketState::Unconnected && pair.far->state() == SocketState::Unconnected;
    }));
    CHECK(pair.near->errorString() == "cannot send the file: No data available");
    CHECK(pair.far->errorString().ends_with(" broke: Connection reset by peer"));
}

TEST_CASE("sending a file where nothing can be sent raises no signal, and is told by the loop") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    const PlainSocket peer = listener.accept();
    const CountedSigpipe sigpipe;
    const TemporaryFile file(pattern(100'000));
    ::shutdown(socket.socketDescriptor(), SHUT_WR); // what is sent now is EPIPE at once, and SIGPIPE
    CHECK(socket.sendFile(file.descriptor(), 0, 100'000));
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(sigpipe.count() == 0);
    CHECK(socket.error() == SocketError::RemoteHostClosed);
}

TEST_CASE("nor does sending a file to a peer that has closed, which says so in the midst of it") {
    const PlainSocket listener = PlainSocket::listening();
    TcpSocket socket;
    socket.connectToHost(HostAddress::LocalHost, listener.port());
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Connected; }));
    socket.setAllowHalfOpen(true);
    bool hasEnded = false;
    socket.readChannelFinished.connect([&] { hasEnded = true; });
    { const PlainSocket peer = listener.accept(); }
    REQUIRE(pumpUntil([&] { return hasEnded; }));
    const CountedSigpipe sigpipe;
    const TemporaryFile file(pattern(8'000'000));
    CHECK(socket.sendFile(file.descriptor(), 0, 8'000'000)); // its first pieces go well, and draw the reset
    REQUIRE(pumpUntil([&] { return socket.state() == SocketState::Unconnected; }));
    CHECK(sigpipe.count() == 0);
}

TEST_CASE("an answer has left when the slots of readyRead have returned, and not before") {
    TcpPair pair;
    std::string order;
    pair.near->readyRead.connect([&] {
        pair.near->write(pair.near->readAll());
        pair.near->write("!");
        order += std::to_string(pair.near->bytesToWrite()) + ' ';
    });
    pair.near->readyRead.connect([&] { order += std::to_string(pair.near->bytesToWrite()) + ' '; });
    pair.far->write("ping");
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 5; }));
    CHECK(order == "5 5 ");
    CHECK(pair.near->bytesToWrite() == 0);
    CHECK(pair.far->readAll() == "ping!");
}

TEST_CASE("what a slot of readyRead wrote before it threw leaves all the same") {
    TcpPair pair;
    pair.near->readyRead.connect([&] {
        pair.near->write(pair.near->readAll());
        throw std::runtime_error("after writing");
    });
    pair.far->write("ping");
    CHECK_THROWS_WITH(pumpUntil([] { return false; }), "after writing");
    CHECK(pair.near->bytesToWrite() == 0);
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 4; }));
    pair.near->write("not in a slot");
    CHECK(pair.near->bytesToWrite() == 0);
}

TEST_CASE("what a nested loop writes inside a slot of readyRead leaves when the nested slot returns") {
    TcpPair pair;
    bool arrived = false;
    bool after = false;
    pair.near->readyRead.connect([&] {
        pair.near->readAll();
        EventLoop::current()->post([&] { pair.near->write("from inside"); });
        arrived = pumpUntil([&] { return pair.far->bytesAvailable() == 11; });
        pair.near->write(" and outside");
        after = pair.near->bytesToWrite() == 12;
    });
    pair.far->write("ping");
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 23; }));
    CHECK(arrived);
    CHECK(after);
    CHECK(pair.far->readAll() == "from inside and outside");
}

TEST_CASE("what a slot of readyRead has written leaves when it runs a loop, which may wait for what the peer answers") {
    TcpPair pair;
    std::string answer;
    int asked = 0;
    pair.far->readyRead.connect([&] { answer += pair.far->readAll(); });
    pair.near->readyRead.connect([&] {
        pair.near->readAll();
        if (++asked != 1)
            return;
        pair.near->write("who ");
        EventLoop::current()->post([&] { pair.near->write("is it?"); });
        CHECK(pumpUntil([&] { return answer == "who is it?"; }));
    });
    pair.far->write("ping");
    REQUIRE(pumpUntil([&] { return asked == 1; }));
    CHECK(answer == "who is it?");
}

TEST_CASE("what a wait in a slot has sent is told of, and ends what waited for it, however the wait goes") {
    ManualClock clock(ManualClock::WhenIdle::Wait);
    TcpPair pair;
    std::int64_t written = 0;
    pair.near->bytesWritten.connect([&](std::int64_t bytes) { written += bytes; });
    EventLoop::current()->post([&] {
        pair.near->write("x");
        CHECK(pair.near->waitForConnected());
    });
    CHECK(pumpUntil([&] { return written == 1; }));
    EventLoop::current()->post([&] {
        pair.near->write("bye");
        pair.near->disconnectFromHost();
        CHECK_FALSE(pair.near->waitForReadyRead(0));
    });
    CHECK(pumpUntil([&] { return pair.near->state() == SocketState::Unconnected; }));
    CHECK_FALSE(pair.near->hasLostOutput());
    CHECK(written == 4);
}

TEST_CASE("a slot of readyRead that connects its socket anew writes to the new connection") {
    TcpPair pair;
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    pair.near->readyRead.connect([&] {
        pair.near->write(pair.near->readAll());
        pair.near->abort();
        pair.near->connectToHost(HostAddress::LocalHost, server.serverPort());
        CHECK(pair.near->waitForConnected());
        pair.near->write("to the new one");
    });
    pair.far->write("ping");
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
    TcpSocket* const client = server.nextPendingConnection();
    REQUIRE(pumpUntil([&] { return client->bytesAvailable() == 14; }));
    CHECK(client->readAll() == "to the new one");
}

TEST_CASE("who writes all the time hears its peer too, from the loop and in a wait") {
    for (const bool inWait : {false, true}) {
        CAPTURE(inWait);
        const std::string chunk(1000, 'x');
        Accepted connection;
        TcpSocket& socket = *connection.socket;
        socket.bytesWritten.connect([&](std::int64_t) { socket.write(chunk); });
        std::atomic<bool> isOver = false;
        std::thread peer([&] { // takes everything, and says something soon
            connection.peer.receive(100'000);
            connection.peer.send("stop");
            while (!isOver && !connection.peer.receive(10'000).empty()) {
            }
        });
        socket.write(chunk);
        if (inWait)
            CHECK(socket.waitForReadyRead(static_cast<int>(patience().count())));
        else
            CHECK(pumpUntil([&] { return socket.bytesAvailable() == 4; }));
        CHECK(socket.readAll() == "stop");
        isOver = true;
        socket.abort();
        peer.join();
    }
}
