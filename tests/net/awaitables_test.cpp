#include <halyard/net/awaitables.h>

#include <halyard/core/clock.h>
#include <halyard/core/task.h>
#include <halyard/core/task_group.h>
#include <halyard/core/thread.h>
#include <halyard/net/local_server.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include "far_ends.h"
#include "tcp_pair.h"
#include <logged.h>
#include <scratch_directory.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_same_v<decltype(nextConnection(std::declval<TcpServer&>()).await_resume()), Awaited<TcpSocket*>>);
static_assert(
    std::is_same_v<decltype(nextConnection(std::declval<LocalServer&>()).await_resume()), Awaited<LocalSocket*>>);

/// What an await has brought, for people.
std::string text(const Awaited<std::string>& result) { return result ? *result : "! " + result.error().message(); }
std::string text(const Awaited<void>& result) { return result ? "yes" : "! " + result.error().message(); }
template <class Socket>
std::string text(const Awaited<Socket*>& result) {
    return result ? "client" : "! " + result.error().message();
}
std::string no(SocketError error) { return "! " + make_error_code(error).message(); }
std::string no(std::errc error) { return "! " + std::make_error_code(error).message(); }

/// Awaits what `await` makes of the arguments, and writes down what came.
template <class Make, class... Objects>
Task<> note(std::vector<std::string>& where, Make make, Objects*... objects) {
    const auto result = co_await make(*objects...);
    where.push_back(text(result));
}

using Notes = std::vector<std::string>;

/// The same as a task of the object that is awaited.
template <class Awaitee, class Make>
void noteOf(Awaitee& object, Notes& where, Make make) {
    start(&object, note(where, make, &object));
}

const auto line = [](TcpSocket& socket) { return readLine(socket); };
const auto four = [](TcpSocket& socket) { return readExactly(socket, 4); };
const auto some = [](TcpSocket& socket) { return readSome(socket); };
const auto drained = [](TcpSocket& socket) { return writeDrained(socket); };

Task<> echo(TcpSocket& client) {
    while (const auto bytes = co_await readSome(client))
        client.write(*bytes);
    client.deleteLater();
}

/// Each client gets a task of its own.
Task<> serve(TcpServer& from, Task<> (*each)(TcpSocket&)) {
    while (const auto client = co_await nextConnection(from))
        start(*client, each(**client));
}

/// More than the kernel takes at once.
std::string much() { return std::string(16 * 1024 * 1024, 'x'); }

} // namespace

// --- reading ---

TEST_CASE("reads take what they are for, and leave the rest") {
    TcpPair pair;
    Notes notes;
    const auto reads = [](TcpSocket& socket, Notes& where) -> Task<> {
        where.push_back(text(co_await readLine(socket)));
        where.push_back(text(co_await readExactly(socket, 3)));
        where.push_back(text(co_await readUntil(socket, "--")));
        where.push_back(text(co_await readable(socket)));
        where.push_back(text(co_await readSome(socket)));
        where.push_back(text(co_await readExactly(socket, 0)));
        where.push_back(text(co_await readSome(socket)));
    };
    SUBCASE("at once") {
        start(pair.near.get(), reads(*pair.near, notes));
        pair.far->write("one\r\ntwothree--four");
        CHECK(pumpUntil([&] { return notes.size() == 6; }));
    }
    SUBCASE("byte by byte, and before it is asked for") {
        pair.far->write("one\r\n");
        CHECK(pumpUntil([&] { return pair.near->bytesAvailable() == 5; }));
        start(pair.near.get(), reads(*pair.near, notes));
        CHECK(notes == Notes{"one"});
        for (const char each : std::string("twothree--four")) {
            const std::size_t before = pair.near->bytesAvailable();
            const std::size_t size = notes.size();
            pair.far->write(std::string(1, each));
            CHECK(pumpUntil([&] { return pair.near->bytesAvailable() != before || notes.size() != size; }));
            if (each == 'f')
                break;
        }
        CHECK(notes.back() == "");
        notes[4] = "four";
    }
    CHECK(notes == Notes{"one", "two", "three", "yes", "four", ""});
    pair.far->abort();
    CHECK(pumpUntil([&] { return notes.size() == 7; }));
    CHECK(notes.back() == no(SocketError::RemoteHostClosed));
}

TEST_CASE("what came before the end is read; then each read ends with the error, and an unfinished frame stays") {
    TcpPair pair;
    Notes notes;
    const auto reads = [](TcpSocket& socket, Notes& where) -> Task<> {
        for (int i = 0; i != 3; ++i)
            where.push_back(text(co_await readLine(socket)));
        where.push_back(text(co_await readExactly(socket, 100)));
        where.push_back(text(co_await readSome(socket)));
        where.push_back(text(co_await readable(socket)));
    };
    start(pair.near.get(), reads(*pair.near, notes));
    pair.far->write("one\ntwo\nrest");
    pair.far->disconnectFromHost();
    CHECK(pumpUntil([&] { return notes.size() == 6; }));
    const std::string closed = no(SocketError::RemoteHostClosed);
    CHECK(notes == Notes{"one", "two", closed, closed, "rest", closed});
}

TEST_CASE("a frame that is too long is an error, and nothing is read") {
    TcpPair pair;
    Notes notes;
    start(pair.near.get(), note(
                               notes, [](TcpSocket& socket) { return readLine(socket, {}, 8); }, pair.near.get()));
    pair.far->write("far too long for that\n");
    CHECK(pumpUntil([&] { return !notes.empty(); }));
    CHECK(notes == Notes{no(std::errc::message_size)});
    CHECK(pair.near->bytesAvailable() == 22);
    pair.near->setReadBufferSize(30);
    noteOf(*pair.near, notes, [](TcpSocket& socket) { return readExactly(socket, 31); });
    CHECK(notes.back() == no(std::errc::message_size));
}

TEST_CASE("the end of the peer's sending ends reads where half open is allowed, before and after it is awaited") {
    TcpPair pair;
    Notes notes;
    pair.near->setAllowHalfOpen(true);
    noteOf(*pair.near, notes, line);
    pair.far->shutdownWrite();
    CHECK(pumpUntil([&] { return notes.size() == 1; }));
    noteOf(*pair.near, notes, some);
    CHECK(notes == Notes{no(SocketError::RemoteHostClosed), no(SocketError::RemoteHostClosed)});
    CHECK(pair.near->state() == SocketState::Connected);
}

TEST_CASE("a read of a socket that is not connected ends at once, one of a connecting socket waits") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket socket;
    Notes notes;
    noteOf(socket, notes, line);
    CHECK(notes == Notes{no(SocketError::Operation)});
    socket.connectToHost(HostAddress::LocalHost, server.serverPort());
    noteOf(socket, notes, line);
    CHECK(notes.size() == 1);
    CHECK(pumpUntil([&] { return server.hasPendingConnections(); }));
    server.nextPendingConnection()->write("hello\n");
    CHECK(pumpUntil([&] { return notes.size() == 2; }));
    CHECK(notes.back() == "hello");
    socket.abort();
    server.close();
    socket.connectToHost(HostAddress::LocalHost, 1);
    noteOf(socket, notes, line);
    CHECK(pumpUntil([&] { return notes.size() == 3; }));
    CHECK(notes.back() == no(SocketError::ConnectionRefused));
}

// --- writing ---

TEST_CASE("a task waits until its peer has taken what it wrote") {
    TcpPair pair;
    Notes notes;
    noteOf(*pair.near, notes, drained);
    CHECK(notes == Notes{"yes"});
    pair.far->pauseReading();
    pair.near->write(much());
    CHECK(pair.near->bytesToWrite() != 0);
    noteOf(*pair.near, notes, drained);
    start(pair.near.get(),
          note(
              notes, [](TcpSocket& socket) { return writeDrained(socket, {}, 1 << 30); }, pair.near.get()));
    CHECK(notes.size() == 2);
    pair.far->resumeReading();
    CHECK(pumpUntil([&] { return notes.size() == 3; }));
    CHECK(pair.near->bytesToWrite() == 0);
    CHECK(notes.back() == "yes");
}

TEST_CASE("waiting for a peer that breaks ends with the error") {
    TcpPair pair;
    Notes notes;
    pair.far->pauseReading();
    pair.near->write(much());
    noteOf(*pair.near, notes, drained);
    pair.far->abort();
    CHECK(pumpUntil([&] { return !notes.empty(); }));
    CHECK(notes.front().front() == '!');
}

// --- connecting and accepting ---

TEST_CASE("a client and a server hold a conversation, each a task") {
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto answer = [](TcpSocket& client) -> Task<> {
        while (const auto question = co_await readLine(client))
            client.write("re: " + *question + '\n');
        client.deleteLater();
    };
    const auto ask = [](std::uint16_t port) -> Task<std::string> {
        TcpSocket socket;
        if (const auto connected = co_await connectToHost(socket, "127.0.0.1", port, patience()); !connected)
            co_return connected.error().message();
        std::string all;
        for (int i = 0; i != 3; ++i) {
            socket.write("question " + std::to_string(i) + '\n');
            all += text(co_await readLine(socket, patience())) + ';';
        }
        co_return all;
    };
    start(&server, serve(server, answer));
    Object context;
    std::vector<Task<std::string>> clients;
    for (int i = 0; i != 20; ++i) {
        clients.push_back(ask(server.serverPort()));
        clients.back().start(&context);
    }
    CHECK(pumpUntil(
        [&] { return std::all_of(clients.begin(), clients.end(), [](const auto& each) { return each.isDone(); }); }));
    for (auto& each : clients)
        CHECK(each.result() == "re: question 0;re: question 1;re: question 2;");
    CHECK(pumpUntil([&] { return server.children().size() == 1; })); // the task that accepts
}

TEST_CASE("connecting to nobody, and with a socket that is in use") {
    Logged logged;
    TcpPair pair;
    TcpSocket socket;
    Notes notes;
    const auto toNobody = [](TcpSocket& with) { return connectToHost(with, HostAddress::LocalHost, 1); };
    noteOf(socket, notes, toNobody);
    CHECK(pumpUntil([&] { return notes.size() == 1; }));
    noteOf(*pair.near, notes, toNobody);
    CHECK(notes == Notes{no(SocketError::ConnectionRefused), no(SocketError::Operation)});
    CHECK(pair.near->state() == SocketState::Connected);
    socket.setProxy({NetworkProxy::Socks5, "127.0.0.1", 1, "", ""});
    noteOf(socket, notes, toNobody);
    CHECK(pumpUntil([&] { return notes.size() == 3; }));
    CHECK(notes.back().front() == '!');
}

TEST_CASE("a server of local sockets gives local sockets") {
    const ScratchDirectory scratch;
    LocalServer server;
    REQUIRE(server.listen(scratch.file("awaited")));
    Notes notes;
    noteOf(server, notes, [](LocalServer& from) { return nextConnection(from); });
    LocalSocket socket;
    socket.connectToServer(scratch.file("awaited"));
    CHECK(pumpUntil([&] { return notes.size() == 1; }));
    CHECK(notes.front() == "client");
}

TEST_CASE("a server that does not listen yet is waited for") {
    TcpServer server;
    Notes notes;
    const auto accepted = [](TcpServer& from) { return nextConnection(from); };
    noteOf(server, notes, accepted);
    REQUIRE(server.listen(HostAddress::LocalHost));
    server.close();
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket socket;
    socket.connectToHost(HostAddress::LocalHost, server.serverPort());
    CHECK(pumpUntil([&] { return !notes.empty(); }));
    CHECK(notes.front() == "client");
}

// --- every await against everything ---

namespace {

enum class Blow { DeleteAwaited, DeleteContext, DropHandle, Abort, Deadline, Cancel };
constexpr Blow blows[] = {Blow::DeleteAwaited, Blow::DeleteContext, Blow::DropHandle,
                          Blow::Abort,         Blow::Deadline,      Blow::Cancel};

/// Strikes at an await that has an hour. What it shall bring then; "destroyed" where it shall bring nothing.
template <class Subject>
std::string strike(Blow blow, ManualClock& clock, std::unique_ptr<Subject>& awaited, std::unique_ptr<Object>& context,
                   Task<>& task) {
    switch (blow) {
    case Blow::DeleteAwaited:
        awaited.reset();
        return no(std::errc::owner_dead);
    case Blow::DeleteContext:
        context.reset();
        return "destroyed";
    case Blow::DropHandle:
        task = {};
        return "destroyed";
    case Blow::Abort:
        if constexpr (std::is_same_v<Subject, TcpServer>)
            awaited->close(); // which a wait for a client outlasts
        else
            awaited->abort();
        return no(SocketError::Operation);
    case Blow::Deadline:
        clock.advance(2h);
        return no(SocketError::SocketTimeout);
    case Blow::Cancel:
        break;
    }
    task.cancel();
    return no(std::errc::operation_canceled);
}

std::string outcome(const Notes& notes) { return notes.empty() ? "destroyed" : notes.front(); }

/// Begins an await of `make`, and strikes at it in every way.
template <class Make>
void checkBlows(Make make) {
    for (const Blow blow : blows) {
        ManualClock clock;
        TcpPair pair;
        pair.far->pauseReading();
        pair.near->write(much());
        pair.near->setClosingTimeout(1ms);
        auto context = std::make_unique<Object>();
        Notes notes;
        Task<> task = note(
            notes, [make](TcpSocket& socket) { return make(socket, Until(1h)); }, pair.near.get());
        REQUIRE(task.start(context.get()));
        REQUIRE(notes.empty());
        const std::string expected = strike(blow, clock, pair.near, context, task);
        if (blow == Blow::DeleteAwaited || blow == Blow::Cancel)
            CHECK(notes.empty()); // not in a destructor, nor in cancel()
        pumpIdle(3);
        CHECK(outcome(notes) == expected);
        CHECK(notes.size() <= 1);
        CHECK_FALSE(task.isRunning());
        if (pair.near) {
            CHECK(pair.near->readyRead.connectionCount() == 0);
            CHECK(pair.near->destroyed.connectionCount() == 0);
        }
    }
}

} // namespace

TEST_CASE("each wait for a socket survives its deletion, and that of the context, and ends in time or when cancelled") {
    checkBlows([](TcpSocket& socket, Until until) { return readLine(socket, until); });
    checkBlows([](TcpSocket& socket, Until until) { return readExactly(socket, 4, until); });
    checkBlows([](TcpSocket& socket, Until until) { return readUntil(socket, "\r\n\r\n", until); });
    checkBlows([](TcpSocket& socket, Until until) { return readSome(socket, until); });
    checkBlows([](TcpSocket& socket, Until until) { return readable(socket, until); });
    checkBlows([](TcpSocket& socket, Until until) { return writeDrained(socket, until); });
}

TEST_CASE("so does one for what the task has just awaited of the same socket, which is begun in a shorter way") {
    for (const Blow blow : blows) {
        ManualClock clock;
        TcpPair pair;
        auto context = std::make_unique<Object>();
        Notes notes;
        bool reads = false;
        const auto twice = [](TcpSocket& socket, Notes& where, bool& before, Until until) -> Task<> {
            before = (co_await readSome(socket)).hasValue();
            where.push_back(text(co_await readSome(socket, until)));
        };
        Task<> task = twice(*pair.near, notes, reads, blow == Blow::Deadline ? Until(1h) : Until());
        REQUIRE(task.start(context.get()));
        pair.far->write("first");
        CHECK(pumpUntil([&] { return reads; }));
        REQUIRE(notes.empty());
        const std::string expected = strike(blow, clock, pair.near, context, task);
        pumpIdle(3);
        CHECK(outcome(notes) == expected);
        CHECK_FALSE(task.isRunning());
    }
}

TEST_CASE("so does a wait for a connection") {
    for (const Blow blow : blows) {
        ManualClock clock;
        const Silent silent(HostAddress::LocalHost);
        auto socket = std::make_unique<TcpSocket>();
        auto context = std::make_unique<Object>();
        Notes notes;
        const auto connects = [](TcpSocket& with, const Silent& to) {
            return connectToHost(with, to.endpoint().address, to.endpoint().port, 1h);
        };
        Task<> task = note(notes, connects, socket.get(), &silent);
        REQUIRE(task.start(context.get()));
        REQUIRE(notes.empty());
        const std::string expected = strike(blow, clock, socket, context, task);
        pumpIdle(3);
        CHECK(outcome(notes) == expected);
        if (blow == Blow::Cancel || blow == Blow::Deadline)
            CHECK(socket->state() == SocketState::Unconnected);
    }
}

TEST_CASE("so does a wait for a client, which does not mind that the server closes") {
    for (const Blow blow : blows) {
        ManualClock clock;
        auto server = std::make_unique<TcpServer>();
        REQUIRE(server->listen(HostAddress::LocalHost));
        auto context = std::make_unique<Object>();
        Notes notes;
        Task<> task = note(
            notes, [](TcpServer& from) { return nextConnection(from, 1h); }, server.get());
        REQUIRE(task.start(context.get()));
        const std::string expected = strike(blow, clock, server, context, task);
        pumpIdle(3);
        if (blow == Blow::Abort)
            CHECK(task.isRunning());
        else
            CHECK(outcome(notes) == expected);
    }
}

TEST_CASE("a task that is cancelled between two reads of a socket ends the second one, whether or not bytes have come "
          "for it") {
    TcpPair pair;
    Object context;
    Notes notes;
    const auto twice = [](TcpSocket& socket, Notes& where, Task<>& itself) -> Task<> {
        where.push_back(text(co_await readExactly(socket, 5)));
        itself.cancel();
        where.push_back(text(co_await readSome(socket)));
        where.push_back(text(co_await readable(socket)));
    };
    Task<> task;
    task = twice(*pair.near, notes, task);
    REQUIRE(task.start(&context));
    SUBCASE("they have") { pair.far->write("firstsecond"); }
    SUBCASE("they have not") { pair.far->write("first"); }
    CHECK(pumpUntil([&] { return notes.size() == 3; }));
    const std::string cancelled = no(std::errc::operation_canceled);
    CHECK(notes == Notes{"first", cancelled, cancelled});
}

TEST_CASE("a task that was cancelled before it would connect leaves the socket alone") {
    TcpPair pair;
    Object context;
    Notes notes;
    const auto connects = [](TcpSocket& socket, Notes& where, Task<>& itself) -> Task<> {
        itself.cancel();
        where.push_back(text(co_await connectToHost(socket, HostAddress::LocalHost, 1)));
    };
    Task<> task;
    task = connects(*pair.near, notes, task);
    REQUIRE(task.start(&context));
    CHECK(pumpUntil([&] { return !notes.empty(); }));
    CHECK(notes == Notes{no(std::errc::operation_canceled)});
    CHECK(pair.near->state() == SocketState::Connected);
}

TEST_CASE("a task may delete the socket that it reads from, its server, and its context, right when it is resumed") {
    auto server = std::make_unique<TcpServer>();
    REQUIRE(server->listen(HostAddress::LocalHost));
    TcpSocket client;
    client.connectToHost(HostAddress::LocalHost, server->serverPort());
    bool done = false;
    const auto deletes = [](std::unique_ptr<TcpServer>& whose, bool& flag) -> Task<> {
        const auto socket = co_await nextConnection(*whose);
        const auto word = co_await readLine(**socket);
        delete *socket;
        whose.reset();
        flag = word.hasValue();
        co_await sleepFor(0ms);
        flag = false;
    };
    start(server.get(), deletes(server, done));
    client.write("now\n");
    CHECK(pumpUntil([&] { return server == nullptr; }));
    pumpIdle();
    CHECK(done);
}

TEST_CASE("a socket that lives elsewhere, and goes while it is awaited in a loop") {
    TcpPair pair;
    auto context = std::make_unique<Object>();
    Notes notes;
    const auto reads = [](TcpSocket& socket, Notes& where) -> Task<> {
        for (;;) {
            const auto word = co_await readLine(socket);
            where.push_back(text(word));
            if (!word)
                co_return;
        }
    };
    start(context.get(), reads(*pair.near, notes));
    for (const auto* const each : {"one\n", "two\n", "three\n"})
        pair.far->write(each);
    CHECK(pumpUntil([&] { return notes.size() == 3; }));
    CHECK(pair.near->readyRead.connectionCount() == 1);
    pair.near.reset();
    CHECK(pumpUntil([&] { return notes.size() == 4; }));
    CHECK(notes.back() == no(std::errc::owner_dead));
    CHECK(context->children().empty());
}

TEST_CASE("a task reads from two sockets in turn, and from either") {
    TcpPair one;
    TcpPair two;
    Object context;
    const auto turns = [](TcpSocket& a, TcpSocket& b) -> Task<std::string> {
        std::string all;
        for (int i = 0; i != 2; ++i) {
            all += *co_await readExactly(a, 1);
            all += *co_await readExactly(b, 1);
        }
        const auto reads = [](TcpSocket& socket) -> Task<std::string> { co_return text(co_await readLine(socket)); };
        const auto first = co_await whenAny(reads(a), reads(b));
        all += std::to_string(first.index()) + std::get<1>(first);
        all += text(co_await within(
            0ms, [](TcpSocket& socket) -> Task<std::string> { co_return text(co_await readLine(socket)); }(a)));
        co_return all;
    };
    Task<std::string> task = turns(*one.near, *two.near);
    task.start(&context);
    one.far->write("ac");
    two.far->write("bdline\n");
    CHECK(pumpUntil([&] { return task.isDone(); }));
    CHECK(task.result() == "abcd1line" + no(std::errc::timed_out));
}

TEST_CASE("a task moves to another thread with its socket") {
    Thread thread;
    REQUIRE(thread.start());
    TcpPair pair;
    TcpSocket* const near = pair.near.release();
    thread.finished.connect(near, &Object::deleteLater);
    start(near, echo(*near));
    REQUIRE(near->moveToThread(&thread));
    Notes notes;
    noteOf(*pair.far, notes, four);
    pair.far->write("ping");
    CHECK(pumpUntil([&] { return !notes.empty(); }));
    CHECK(notes == Notes{"ping"});
}

TEST_CASE("two hundred connections, a task at each end") {
    TcpServer server;
    server.setMaxPendingConnections(1000);
    REQUIRE(server.listen(HostAddress::LocalHost));
    const auto ask = [](std::uint16_t port, int& good) -> Task<> {
        TcpSocket socket;
        if (!co_await connectToHost(socket, HostAddress::LocalHost, port))
            co_return;
        for (int i = 0; i != 3; ++i) {
            socket.write("12345678");
            const auto back = co_await readExactly(socket, 8);
            good += back && *back == "12345678" ? 1 : 0;
        }
    };
    Object context;
    int good = 0;
    constexpr int clients = 200;
    start(&server, serve(server, echo));
    for (int i = 0; i != clients; ++i)
        start(&context, ask(server.serverPort(), good));
    CHECK(pumpUntil([&] { return context.children().empty() && server.children().size() == 1; }));
    CHECK(good == 3 * clients);
}
