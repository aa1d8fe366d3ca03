// A socket's life: connecting, ending, and what its slots may do.
#include "scenario.h"

#include <memory>

namespace {

using namespace compare;

void traceState(const Socket& socket) {
    Trace{"state", socket.state(), "error", socket.error(), "valid", socket.isValid()};
    Trace{"peer", socket.peerAddress(), "name", text(socket.peerName()), "port", socket.peerPort() != 0};
    Trace{"at", socket.localAddress(), "port", socket.localPort() != 0};
}

bool pumpTo(const Socket& socket, State state) {
    return pumpUntil([&] { return socket.state() == state; });
}

/// How many bytes come before the end.
std::size_t receiveAll(const PlainSocket& socket) {
    std::size_t got = 0;
    bool ended = false;
    pumpUntil([&] {
        got += socket.receiveNow(&ended).size();
        return ended;
    });
    return got;
}

// --- fresh ---

const Scenario fresh("fresh_socket", [] {
    Socket socket;
    traceState(socket);
    Trace{"descriptor", socket.socketDescriptor() >= 0};
    Trace{"available", socket.bytesAvailable(), "to write", socket.bytesToWrite(), "at end", socket.atEnd()};
    Trace{"buffer", socket.readBufferSize(), "line", socket.canReadLine()};
});

const Scenario freshText("error_text_of_a_fresh_socket", [] {
    const Socket socket;
    Trace{"text:", text(socket.errorString())};
});

const Scenario freshCalls("calls_on_a_fresh_socket", [] {
    Socket socket;
    const Watch watch(socket);
    socket.disconnectFromHost();
    socket.abort();
    socket.close();
    Trace{"flush", socket.flush()};
    Trace{"waits", socket.waitForConnected(10), socket.waitForReadyRead(10), socket.waitForBytesWritten(10)};
    traceState(socket);
});

// --- connecting ---

const Scenario byAddress("connect_by_address", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, listener.port());
    Trace{"name", text(socket.peerName()), "peer", socket.peerAddress()};
    pumpTo(socket, stateConnected);
    traceState(socket);
});

const Scenario byText("connect_by_the_text_of_an_address", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost("127.0.0.1", listener.port());
    Trace{"returned"};
    pumpTo(socket, stateConnected);
    traceState(socket);
});

const Scenario byName("connect_by_name", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost("localhost", listener.port());
    Trace{"returned"};
    pumpTo(socket, stateConnected);
    traceState(socket);
});

const Scenario refused("connect_and_be_refused", [] {
    const RefusingPort nobody;
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, nobody.port());
    Trace{"returned"};
    pumpTo(socket, stateUnconnected);
    settle();
    Trace{"name", text(socket.peerName()), "error", socket.error(), "descriptor", socket.socketDescriptor() >= 0};
});

const Scenario noSuchHost("connect_to_no_such_host", [] {
    for (const char* const name : {"no..such", ""}) {
        Socket socket;
        const Watch watch(socket);
        socket.connectToHost(name, 80);
        Trace{"returned"};
        pumpTo(socket, stateUnconnected);
        settle();
        Trace{"error", socket.error()};
    }
});

const Scenario twice("connect_while_connected", [] {
    Pair pair;
    const Watch watch(pair.socket);
    pair.socket.connectToHost(Address::LocalHost, 1);
    Trace{"state", pair.socket.state(), "warnings", Application::warnings};
    pair.socket.write("hello");
    pair.socket.waitForBytesWritten();
    Trace{"peer reads", pair.peer.receive(5)};
});

const Scenario twiceAtOnce("connect_while_connecting", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, listener.port());
    socket.connectToHost(Address::LocalHost, 1);
    Trace{"connected", pumpTo(socket, stateConnected)};
});

const Scenario earlyBytes("write_while_connecting", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const BytesWritten written(socket);
    socket.connectToHost(Address::LocalHost, listener.port());
    Trace{"write", socket.write("hello"), "to write", socket.bytesToWrite()};
    pumpUntil([&] { return written.sum == 5; });
    Trace{"peer reads", listener.accept().receive(5)};
});

const Scenario flushWhileConnecting("flush_while_connecting", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, listener.port());
    socket.write("hello");
    Trace{"flush", socket.flush()};
    settle();
});

const Scenario leaveWhileConnecting("disconnect_while_connecting", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, listener.port());
    socket.write("hello");
    socket.disconnectFromHost();
    Trace{"state", socket.state()};
    pumpTo(socket, stateUnconnected);
    settle();
    Trace{"peer reads", listener.accept().receive()};
});

const Scenario abortWhileConnecting("abort_while_connecting", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, listener.port());
    Trace{"abort"};
    socket.abort();
    settle();
    traceState(socket);
});

const Scenario bound("bind_and_connect", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    Trace{"bind", socket.bind(Address("127.0.0.3"))};
    Trace{"at", socket.localAddress(), "port", socket.localPort() != 0};
    const auto port = socket.localPort();
    socket.connectToHost(Address::LocalHost, listener.port());
    Trace{"connected", pumpTo(socket, stateConnected)};
    Trace{"at", socket.localAddress(), "same port", socket.localPort() == port};
});

const Scenario cannotBind("bind_in_vain", [] {
    const PlainSocket listener = PlainSocket::listening();
    Socket socket;
    const Watch watch(socket);
    Trace{"bind", socket.bind(Address::LocalHost, listener.port())};
    Trace{"error", socket.error()};
    Trace{"bind", socket.bind(Address("192.0.2.1"))};
    Trace{"error", socket.error()};
});

// --- ending ---

const Scenario peerEnds("peer_ends", [] {
    Pair pair;
    const Watch watch(pair.socket);
    Object::connect(&pair.socket, &Socket::disconnected, &pair.socket, [&] { traceState(pair.socket); });
    pair.peer.send("hello");
    pair.peer.close();
    pumpTo(pair.socket, stateUnconnected);
    settle();
    traceState(pair.socket);
    Trace{"read", pair.socket.readAll()};
});

const Scenario peerResets("peer_resets", [] {
    Pair pair;
    const Watch watch(pair.socket);
    pair.peer.reset();
    pumpTo(pair.socket, stateUnconnected);
    settle();
    Trace{"error", pair.socket.error()};
});

const Scenario leave("disconnect", [] {
    Pair pair;
    const Watch watch(pair.socket);
    pair.socket.disconnectFromHost();
    traceState(pair.socket);
    Trace{"peer sees", endOf(pair.peer)};
});

const Scenario leaveWithBytes("disconnect_with_bytes_to_write", [] {
    Pair pair;
    const Watch watch(pair.socket);
    const BytesWritten written(pair.socket);
    const std::int64_t size = 32'000'000;
    Trace{"write", pair.socket.write(Bytes(size, 'x'))};
    pair.socket.disconnectFromHost();
    Trace{"returned", "state", pair.socket.state()};
    std::int64_t got = 0;
    Trace{"all arrives", pumpUntil([&] {
              got += static_cast<std::int64_t>(pair.peer.receiveNow().size());
              return got == size;
          })};
    pumpTo(pair.socket, stateUnconnected);
    settle();
    Trace{"written", written.sum};
});

const Scenario closeWithBytes("close_with_bytes_to_write_and_to_read", [] {
    Pair pair;
    pair.peer.send("unread");
    pair.socket.waitForReadyRead();
    const Watch watch(pair.socket);
    const std::int64_t size = 32'000'000;
    pair.socket.write(Bytes(size, 'x'));
    pair.socket.close();
    Trace{"returned", "state", pair.socket.state(), "available", pair.socket.bytesAvailable()};
    std::int64_t got = 0;
    Trace{"all arrives", pumpUntil([&] {
              got += static_cast<std::int64_t>(pair.peer.receiveNow().size());
              return got == size;
          })};
    Trace{"peer sees", endOf(pair.peer)};
    settle();
});

const Scenario writeWhileClosing("write_while_closing", [] {
    Pair pair;
    const std::int64_t size = 32'000'000;
    pair.socket.write(Bytes(size, 'x'));
    pair.socket.disconnectFromHost();
    Trace{"state", pair.socket.state()};
    Trace{"write", pair.socket.write("hello")};
});

const Scenario aborted("abort", [] {
    Pair pair;
    const Watch watch(pair.socket);
    pair.socket.write(Bytes(32'000'000, 'x'));
    Trace{"abort"};
    pair.socket.abort();
    Trace{"to write", pair.socket.bytesToWrite(), "error", pair.socket.error()};
    Trace{"peer sees", endOf(pair.peer)};
});

const Scenario destroyed("destroy_a_connected_socket", [] {
    auto pair = std::make_unique<Pair>();
    const Watch watch(pair->socket); // here it outlives it
    PlainSocket peer = std::move(pair->peer);
    pair.reset();
    Trace{"peer sees", endOf(peer)};
});

const Scenario destroyedWithBytes("destroy_a_socket_with_bytes_to_write", [] {
    PlainSocket listener = PlainSocket::listening();
    auto* const socket = new Socket;
    socket->connectToHost(Address::LocalHost, listener.port());
    socket->waitForConnected();
    const PlainSocket peer = listener.accept();
    const std::size_t size = 32'000'000;
    socket->write(Bytes(size, 'x'));
    socket->disconnectFromHost();
    delete socket;
    Trace{"all arrives", receiveAll(peer) == size};
});

const Scenario replyToHalfClose("long_reply_to_a_peer_that_has_ended_its_side", [] {
    Pair pair;
    const std::size_t size = 32'000'000;
    Object::connect(&pair.socket, &Socket::readyRead, &pair.socket, [&] {
        pair.socket.readAll();
        pair.socket.write(Bytes(size, 'x'));
    });
    pair.peer.send("request");
    pair.peer.shutdownWrite();
    Trace{"all arrives", receiveAll(pair.peer) == size};
});

const Scenario writeUnconnected("write_without_a_connection", [] {
    Socket socket;
    Trace{"write", socket.write("hello"), "error", socket.error()};
    Pair pair;
    pair.socket.disconnectFromHost();
    Trace{"write", pair.socket.write("hello"), "an error text", !text(pair.socket.errorString()).empty()};
});

const Scenario errorAfterwards("socket_error_after_a_later_success", [] {
    Pair pair;
    Trace{"wait", pair.socket.waitForReadyRead(10), "error", pair.socket.error()};
    pair.peer.send("hello");
    Trace{"wait", pair.socket.waitForReadyRead(5000), "error", pair.socket.error()};
});

const Scenario reconnected("reconnect", [] {
    const PlainSocket listener = PlainSocket::listening();
    Pair pair;
    pair.peer.send("old");
    pair.peer.close();
    pumpTo(pair.socket, stateUnconnected);
    Trace{"available", pair.socket.bytesAvailable(), "error", pair.socket.error()};
    pair.socket.connectToHost(Address::LocalHost, listener.port());
    Trace{"available", pair.socket.bytesAvailable(), "error", pair.socket.error()};
    Trace{"connected", pumpTo(pair.socket, stateConnected)};
});

// --- what slots do ---

const Scenario reconnectInDisconnected("reconnect_in_disconnected", [] {
    const PlainSocket listener = PlainSocket::listening();
    Pair pair;
    const Watch watch(pair.socket);
    Object context;
    Object::connect(&pair.socket, &Socket::disconnected, &context, [&] {
        Trace{"again"};
        pair.socket.connectToHost(Address::LocalHost, listener.port());
    });
    pair.peer.close();
    pumpUntil([&] { return pair.socket.peerPort() == listener.port() && pair.socket.state() == stateConnected; });
    traceState(pair.socket);
});

const Scenario reconnectInError("reconnect_in_error", [] {
    const PlainSocket listener = PlainSocket::listening();
    Pair pair;
    const Watch watch(pair.socket);
    bool first = true;
    Object::connect(&pair.socket, &Socket::errorOccurred, &pair.socket, [&] {
        if (std::exchange(first, false)) {
            Trace{"again"};
            pair.socket.connectToHost(Address::LocalHost, listener.port());
        }
    });
    pair.peer.close();
    settle();
});

/// Deletes a connected socket in the first emission of a signal of its, while its peer sends and ends.
template <class Signal>
void deleteIn(Signal signal) {
    const PlainSocket listener = PlainSocket::listening();
    auto* const socket = new Socket;
    Guarded<Socket> alive(socket);
    Object::connect(socket, signal, socket, [socket] {
        Trace{"delete"};
        delete socket;
    });
    socket->connectToHost(Address::LocalHost, listener.port());
    Trace{"returned"};
    if (!alive)
        return;
    pumpUntil([&] { return !alive || alive->state() == stateConnected; });
    PlainSocket peer = listener.accept();
    if (alive)
        socket->write("hello");
    settle();
    peer.send("hello");
    peer.shutdownWrite();
    settle();
    Trace{"alive", !!alive};
}

const Scenario deleteInConnected("delete_in_connected", [] { deleteIn(&Socket::connected); });
const Scenario deleteInReadyRead("delete_in_ready_read", [] { deleteIn(&Socket::readyRead); });
const Scenario deleteInDisconnected("delete_in_disconnected", [] { deleteIn(&Socket::disconnected); });
const Scenario deleteInError("delete_in_error_occurred", [] { deleteIn(&Socket::errorOccurred); });
const Scenario deleteInBytesWritten("delete_in_bytes_written", [] { deleteIn(&Socket::bytesWritten); });
const Scenario deleteInStateChanged("delete_in_state_changed", [] { deleteIn(&Socket::stateChanged); });
const Scenario deleteInChannelFinished("delete_in_read_channel_finished",
                                       [] { deleteIn(&Socket::readChannelFinished); });

const Scenario closeInReadyRead("close_in_ready_read", [] {
    Pair pair;
    const Watch watch(pair.socket);
    Object::connect(&pair.socket, &Socket::readyRead, &pair.socket, [&] {
        Trace{"close"};
        pair.socket.close();
    });
    pair.peer.send("hello");
    pumpTo(pair.socket, stateUnconnected);
    Trace{"peer sees", endOf(pair.peer)};
});

const Scenario abortInReadyRead("abort_in_ready_read", [] {
    Pair pair;
    const Watch watch(pair.socket);
    Object::connect(&pair.socket, &Socket::readyRead, &pair.socket, [&] {
        Trace{"abort"};
        pair.socket.abort();
    });
    pair.peer.send("hello");
    pumpTo(pair.socket, stateUnconnected);
    settle();
});

} // namespace
