// What goes through a socket: reading, writing, waiting; its options, and descriptors that it is given.
#include "scenario.h"

#include <cstdint>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace compare;

bool pumpToAvailable(const Socket& socket, std::int64_t bytes) {
    return pumpUntil([&] { return static_cast<std::int64_t>(socket.bytesAvailable()) >= bytes; });
}

// --- reading ---

const Scenario lines("lines", [] {
    Pair pair;
    pair.peer.send("one\ntwo");
    pumpToAvailable(pair.socket, 7);
    Trace{"line", pair.socket.canReadLine(), "peek", peek(pair.socket, 5)};
    Trace{"read", text(pair.socket.readLine()) == "one\n"};
    Trace{"line", pair.socket.canReadLine(), "read", pair.socket.readLine()};
    Trace{"at end", pair.socket.atEnd(), "read", pair.socket.readLine()};
});

const Scenario lineOfAtMost("line_of_at_most_three_bytes", [] {
    Pair pair;
    pair.peer.send("longer\n");
    pumpToAvailable(pair.socket, 7);
    Trace{"read", pair.socket.readLine(3)};
});

const Scenario pieces("read_pieces", [] {
    Pair pair;
    pair.peer.send("hello, world");
    pumpToAvailable(pair.socket, 12);
    Trace{"read", pair.socket.read(5)};
    Trace{"skip", pair.socket.skip(2), "available", pair.socket.bytesAvailable()};
    Trace{"peek", peek(pair.socket, 100), "read", pair.socket.read(100)};
    Trace{"read", pair.socket.readAll(), "skip", pair.socket.skip(1)};
});

const Scenario readAtTheEnd("read_at_the_end", [] {
    Pair pair;
    Trace{"nothing yet", readInto(pair.socket, 10)};
    pair.peer.send("abc");
    pair.peer.close();
    pumpUntil([&] { return pair.socket.state() == stateUnconnected; });
    Trace{"what is left", readInto(pair.socket, 10)};
    Trace{"nothing any more", readInto(pair.socket, 10)};
});

const Scenario notRepeated("unread_bytes_are_told_of_once", [] {
    Pair pair;
    const Watch watch(pair.socket);
    pair.peer.send("one");
    pumpToAvailable(pair.socket, 3);
    settle();
    pair.peer.send("two");
    pumpToAvailable(pair.socket, 6);
    settle();
});

const Scenario nestedLoop("nested_loop_in_ready_read", [] {
    Pair pair;
    Object::connect(&pair.socket, &Socket::readyRead, &pair.socket, [&] {
        Trace{"readyRead", pair.socket.bytesAvailable()};
        if (pair.socket.bytesAvailable() == 3) {
            pair.peer.send("two");
            settle();
            Trace{"available", pair.socket.bytesAvailable()};
        }
    });
    pair.peer.send("one");
    pumpToAvailable(pair.socket, 6);
    settle();
});

const Scenario waitInReadyRead("wait_in_ready_read", [] {
    Pair pair;
    int depth = 0;
    Object::connect(&pair.socket, &Socket::readyRead, &pair.socket, [&] {
        Trace{"readyRead at depth", ++depth};
        if (pair.socket.bytesAvailable() == 3) {
            pair.peer.send("two");
            Trace{"wait", pair.socket.waitForReadyRead(5000), pair.socket.bytesAvailable()};
        }
        --depth;
    });
    pair.peer.send("one");
    pumpToAvailable(pair.socket, 6);
    settle();
});

const Scenario limited("read_buffer_limit", [] {
    Pair pair;
    pair.socket.setReadBufferSize(256);
    pair.peer.send(std::string(512, 'x'));
    settle();
    constexpr std::uint16_t limits[]{384, 1024, 0}; // any signedness will do
    for (const auto limit : limits) {
        Trace{"available", pair.socket.bytesAvailable()};
        pair.socket.setReadBufferSize(limit);
        settle();
    }
    Trace{"available", pair.socket.bytesAvailable()};
});

const Scenario limitedAndEnded("read_buffer_limit_and_the_end", [] {
    Pair pair;
    const Watch watch(pair.socket);
    pair.socket.setReadBufferSize(4);
    pair.peer.send("12345678");
    pair.peer.close();
    settle();
    for (int i = 0; i != 3; ++i) {
        Trace{"read", pair.socket.readAll()};
        settle();
    }
});

const Scenario halfDrained("read_a_part_of_a_full_buffer", [] {
    Pair pair;
    pair.socket.setReadBufferSize(256);
    pair.peer.send(std::string(512, 'x'));
    settle();
    Trace{"read", pair.socket.read(156).size()};
    settle();
    Trace{"available", pair.socket.bytesAvailable()};
    pair.socket.readAll();
    settle();
    Trace{"drained, and available", pair.socket.bytesAvailable() > 0};
});

// --- writing ---

const Scenario summed("written_bytes_sum_up", [] {
    Pair pair;
    const BytesWritten written(pair.socket);
    bool inside = false;
    bool recursive = false;
    Object::connect(&pair.socket, &Socket::bytesWritten, &pair.socket, [&] { recursive = recursive || inside; });
    for (int i = 0; i != 1000; ++i) {
        inside = true;
        pair.socket.write("0123456789");
        inside = false;
    }
    Trace{"inside write", recursive};
    pumpUntil([&] { return written.sum == 10000; });
    settle();
    Trace{"sum", written.sum, "to write", pair.socket.bytesToWrite(), "arrived", pair.peer.receive(10000).size()};
});

const Scenario writtenInSlot("bytes_written_before_the_end", [] {
    Pair pair;
    const BytesWritten written(pair.socket);
    Object::connect(&pair.socket, &Socket::disconnected, &pair.socket, [&] {
        Trace{"disconnected after", written.sum};
    });
    pair.socket.write("hello");
    pair.socket.disconnectFromHost();
    pumpUntil([&] { return pair.socket.state() == stateUnconnected; });
    Trace{"peer reads", pair.peer.receive()};
});

const Scenario flushed("flush", [] {
    Pair pair;
    const BytesWritten written(pair.socket);
    Trace{"nothing to flush", pair.socket.flush()};
    pair.socket.write("hello");
    pair.socket.flush();
    Trace{"written", written.sum, "to write", pair.socket.bytesToWrite()};
});

const Scenario flushAnswer("flush_after_a_write", [] {
    Pair pair;
    pair.socket.write("hello");
    Trace{"flush", pair.socket.flush()};
});

const Scenario flushInSlot("write_and_flush_in_bytes_written", [] {
    Pair pair;
    const BytesWritten written(pair.socket);
    bool first = true;
    Object::connect(&pair.socket, &Socket::bytesWritten, &pair.socket, [&] {
        if (std::exchange(first, false)) {
            pair.socket.write("world");
            pair.socket.flush();
        }
    });
    pair.socket.write("hello");
    settle();
    Trace{"told", written.sum, "arrived", pair.peer.receiveNow().size()};
});

const Scenario emptyWrite("write_nothing", [] {
    Pair pair;
    const Watch watch(pair.socket);
    Trace{"write", pair.socket.write("")};
    settle();
});

// --- waiting ---

const Scenario waitConnected("wait_for_connected", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    Trace{"unconnected", socket.waitForConnected(10), "error", socket.error()};
    socket.connectToHost("localhost", listener.port());
    Trace{"wait", socket.waitForConnected(5000)};
    Trace{"again", socket.waitForConnected(5000), "error", socket.error()};
});

const Scenario waitRefused("wait_for_connected_and_be_refused", [] {
    const RefusingPort nobody;
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, nobody.port());
    Trace{"wait", socket.waitForConnected(5000), "error", socket.error()};
});

const Scenario waitConnectedInVain("wait_for_connected_in_vain", [] {
    const SilentPort silent;
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, silent.port());
    Trace{"wait", socket.waitForConnected(50), "error", socket.error(), "state", socket.state()};
});

const Scenario waitReady("wait_for_ready_read", [] {
    Pair pair;
    const Watch watch(pair.socket);
    Trace{"in vain", pair.socket.waitForReadyRead(20), "error", pair.socket.error()};
    pair.peer.send("hello");
    Trace{"wait", pair.socket.waitForReadyRead(5000), pair.socket.bytesAvailable()};
    Trace{"nothing new", pair.socket.waitForReadyRead(20)};
});

const Scenario waitReadyAndEnd("wait_for_ready_read_until_the_end", [] {
    Pair pair;
    const Watch watch(pair.socket);
    pair.peer.send("hello");
    pair.peer.close();
    Trace{"wait", pair.socket.waitForReadyRead(5000)};
    Trace{"wait", pair.socket.waitForReadyRead(5000), "error", pair.socket.error()};
    Trace{"wait", pair.socket.waitForReadyRead(5000), "read", pair.socket.readAll()};
});

const Scenario waitWritten("wait_for_bytes_written", [] {
    Pair pair;
    const BytesWritten written(pair.socket);
    Trace{"nothing to write", pair.socket.waitForBytesWritten(20), "error", pair.socket.error()};
    pair.socket.write("hello");
    Trace{"wait", pair.socket.waitForBytesWritten(5000), "written", written.sum};
    Trace{"again", pair.socket.waitForBytesWritten(20), "error", pair.socket.error()};
});

const Scenario waitDisconnected("wait_for_disconnected", [] {
    Pair pair;
    const Watch watch(pair.socket);
    Trace{"in vain", pair.socket.waitForDisconnected(20), "error", pair.socket.error()};
    pair.peer.close();
    Trace{"wait", pair.socket.waitForDisconnected(5000), "error", pair.socket.error()};
});

const Scenario waitAlreadyDisconnected("wait_for_disconnected_when_it_is", [] {
    Pair pair;
    pair.socket.disconnectFromHost();
    Trace{"state", pair.socket.state(), "wait", pair.socket.waitForDisconnected(20)};
});

const Scenario waitWithBytes("wait_for_disconnected_with_bytes_to_write", [] {
    Pair pair;
    pair.socket.write("hello");
    pair.socket.disconnectFromHost();
    pair.socket.waitForDisconnected(5000);
    Trace{"state", pair.socket.state(), "peer reads", pair.peer.receive()};
});

const Scenario negativeTime("wait_for_a_negative_time", [] {
    Pair pair;
    pair.peer.send("one");
    Trace{"-1", pair.socket.waitForReadyRead(-1)};
    std::thread late([&pair] {
        std::this_thread::sleep_for(20ms); // so that the wait blocks by then, which no condition tells
        pair.peer.send("two");
    });
    Trace{"-5", pair.socket.waitForReadyRead(-5)};
    late.join();
});

// --- options and descriptors ---

const Scenario options("options_of_a_connected_socket", [] {
    Pair pair;
    Trace{"LowDelay", option(pair.socket, LowDelay), "KeepAlive", option(pair.socket, KeepAlive)};
    pair.socket.setSocketOption(LowDelay, 1);
    pair.socket.setSocketOption(KeepAlive, 1);
    pair.socket.setSocketOption(SendBufferSize, 8192);
    Trace{"LowDelay",       option(pair.socket, LowDelay),      "KeepAlive", option(pair.socket, KeepAlive),
          "SendBufferSize", option(pair.socket, SendBufferSize)};
});

const Scenario earlyOptions("options_before_connecting", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    socket.setSocketOption(LowDelay, 1);
    Trace{"LowDelay", option(socket, LowDelay)};
    socket.connectToHost(Address::LocalHost, listener.port());
    Trace{"connected", socket.waitForConnected(5000), "LowDelay", option(socket, LowDelay)};
});

const Scenario lateOptions("options_after_the_end", [] {
    Pair pair;
    pair.socket.setSocketOption(KeepAlive, 1);
    pair.socket.disconnectFromHost();
    Trace{"KeepAlive", option(pair.socket, KeepAlive)};
});

const Scenario adopted("descriptor_of_a_connection", [] {
    PlainSocket listener = PlainSocket::listening();
    PlainSocket peer = PlainSocket::connectedTo(listener.port());
    const int descriptor = listener.accept().release();
    Socket socket;
    const Watch watch(socket);
    Trace{"set", socket.setSocketDescriptor(descriptor)};
    Trace{"state", socket.state(), "peer", socket.peerAddress(), "same", socket.socketDescriptor() == descriptor};
    Trace{"non-blocking", (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) != 0};
    socket.write("hello");
    socket.waitForBytesWritten();
    Trace{"peer reads", peer.receive(5)};
    socket.abort();
    settle();
    Trace{"open", ::fcntl(descriptor, F_GETFD) >= 0};
});

const Scenario unixPair("descriptor_of_a_unix_socket", [] {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return;
    const PlainSocket peer(ends[1]);
    Socket socket;
    Trace{"set", socket.setSocketDescriptor(ends[0]), "error", socket.error()};
    socket.write("hello");
    socket.flush();
    Trace{"peer reads", peer.receive(5)};
});

const Scenario badDescriptor("descriptor_of_nothing", [] {
    for (const int descriptor : {1000, -1}) {
        Socket socket;
        const Watch watch(socket);
        Trace{"set", socket.setSocketDescriptor(descriptor)};
        Trace{"state", socket.state(), "error", socket.error()};
    }
});

const Scenario pipeDescriptor("descriptor_of_a_pipe_for_a_socket", [] {
    int ends[2];
    if (::pipe(ends) != 0)
        return;
    Socket socket;
    Trace{"set", socket.setSocketDescriptor(ends[0])};
    Trace{"state", socket.state(), "error", socket.error()};
});

const Scenario twiceAdopted("descriptor_while_connected", [] {
    Pair pair;
    const PlainSocket listener = PlainSocket::listening();
    const PlainSocket client = PlainSocket::connectedTo(listener.port());
    const int other = listener.accept().release();
    const Watch watch(pair.socket);
    Trace{"set", pair.socket.setSocketDescriptor(other)};
    Trace{"state", pair.socket.state(), "same", pair.socket.socketDescriptor() == other};
    Trace{"the old peer sees", endOf(pair.peer, 100ms), "the new one", endOf(client, 30ms)};
});

} // namespace
