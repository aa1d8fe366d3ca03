#include "plain_local.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/thread.h>
#include <halyard/net/local_server.h>
#include <halyard/net/tcp_server.h>

#include <logged.h>
#include <pump.h>
#include <scratch_directory.h>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

static_assert(!std::is_copy_constructible_v<LocalServer> && !std::is_move_constructible_v<LocalServer>);
static_assert(std::has_virtual_destructor_v<LocalServer>);

namespace {

mode_t permissionsOf(const std::string& path) {
    struct stat file {};
    REQUIRE(::stat(path.c_str(), &file) == 0);
    return file.st_mode & 0777U;
}

/// What is left of a server that died.
void leaveOver(const std::string& path) { listeningAt(path).close(); }

} // namespace

TEST_CASE("a fresh local server is as nobody has touched it") {
    LocalServer server;
    CHECK_FALSE(server.isListening());
    CHECK(server.acceptState() == AcceptState::Closed);
    CHECK(server.serverName().empty());
    CHECK(server.socketDescriptor() == -1);
    CHECK(server.serverError() == SocketError::None);
    CHECK(server.nextPendingConnection() == nullptr);
    CHECK_FALSE(server.waitForNewConnection(10));
    server.close();
}

TEST_CASE("a local client is announced, queued, and its socket is a child of the server") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    LocalServer server;
    std::string order;
    server.pendingConnectionAvailable.connect([&] { order += "available "; });
    server.newConnection.connect([&] { order += "new "; });
    REQUIRE(server.listen(path));
    CHECK(server.serverName() == path);
    const PlainSocket client = connectedTo(path);
    client.send("early");
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
    CHECK(order == "available new ");
    LocalSocket* const socket = server.nextPendingConnection();
    REQUIRE(socket != nullptr);
    CHECK(socket->parent() == &server);
    CHECK(socket->state() == SocketState::Connected);
    CHECK(socket->serverName().empty());
    REQUIRE(pumpUntil([&] { return socket->bytesAvailable() == 5; }));
    socket->write(socket->readAll());
    CHECK(client.receive(5) == "early");
    CHECK(server.nextPendingConnection() == nullptr);
}

TEST_CASE("the waits of a local server are those of every server") {
    const ScratchDirectory scratch;
    LocalServer server;
    REQUIRE(server.listen(scratch.file("server")));
    bool timedOut = false;
    CHECK_FALSE(server.waitForNewConnection(20, &timedOut));
    CHECK(timedOut);
    CHECK(server.serverError() == SocketError::SocketTimeout);
    CHECK(server.errorString() == "no client came to " + server.serverName() + " in time");
    const PlainSocket client = connectedTo(server.serverName());
    CHECK(server.waitForNewConnection(-1, &timedOut));
    CHECK_FALSE(timedOut);
}

TEST_CASE("an abstract name has no file, and is free again when its server has gone") {
    const ScratchDirectory scratch;
    const std::string name = "@halyard" + scratch.file("abstract");
    for (int round = 0; round != 2; ++round) {
        LocalServer server;
        REQUIRE(server.listen(name));
        CHECK(server.serverName() == name);
        LocalServer second;
        CHECK_FALSE(second.listen(name));
        CHECK(second.serverError() == SocketError::AddressInUse);
        LocalSocket client;
        client.connectToServer(name);
        CHECK(client.waitForConnected(5000));
        CHECK(server.waitForNewConnection(5000));
    }
    CHECK_FALSE(fs::exists(name));
}

TEST_CASE("a socket file that is left over is replaced") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    leaveOver(path);
    REQUIRE(fs::is_socket(path));
    LocalServer server;
    REQUIRE(server.listen(path));
    const PlainSocket client = connectedTo(path);
    CHECK(server.waitForNewConnection(5000));
}

TEST_CASE("a name that somebody listens at is refused, and that one notices nothing") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    LocalServer first;
    REQUIRE(first.listen(path));
    {
        LocalServer second;
        CHECK_FALSE(second.listen(path));
        CHECK(second.serverError() == SocketError::AddressInUse);
        CHECK(second.errorString() == "cannot listen at " + path + ": Address already in use");
        CHECK(second.socketDescriptor() == -1);
        Logged log;
        CHECK_FALSE(first.listen(scratch.file("other")));
        CHECK(log.linesWith("LocalServer::listen(): the server listens already") == 1);
    }
    CHECK_FALSE(first.waitForNewConnection(0)); // nobody knocked to see whether it lives
    const PlainSocket client = connectedTo(path);
    CHECK(first.waitForNewConnection(5000));
}

TEST_CASE("what is no left-over socket is never removed") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    LocalServer server;
    const auto isRefused = [&](const std::string& name) {
        return !server.listen(name) && server.serverError() == SocketError::AddressInUse && fs::exists(name);
    };
    std::ofstream(path) << "valuable";
    CHECK(isRefused(path));
    CHECK(fs::file_size(path) == 8);
    fs::create_symlink(path, scratch.file("link"));
    CHECK(isRefused(scratch.file("link")));
    CHECK(fs::is_symlink(scratch.file("link")));
    fs::create_directory(scratch.file("directory"));
    CHECK(isRefused(scratch.file("directory")));
    const PlainSocket datagrams = boundTo(scratch.file("datagrams"), SOCK_DGRAM);
    CHECK(isRefused(scratch.file("datagrams")));
    const PlainSocket soon = boundTo(scratch.file("soon")); // a server that is just about to listen
    CHECK(isRefused(scratch.file("soon")));
}

TEST_CASE("of several servers that find the same file left over exactly one listens, and the clients reach that") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    for (int round = 0; round != 20; ++round) {
        leaveOver(path);
        std::atomic<int> ready = 0;
        std::atomic<int> listening = 0;
        std::atomic<int> reached = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i != 4; ++i)
            threads.emplace_back([&] {
                LocalServer server;
                for (++ready; ready != 4;) {
                }
                if (!server.listen(path))
                    return;
                ++listening;
                const PlainSocket client = connectedTo(path);
                reached += server.waitForNewConnection(static_cast<int>(patience().count()));
            });
        for (std::thread& each : threads)
            each.join();
        // One that has ended may be followed by another one; none displaces another.
        CHECK(listening >= 1);
        CHECK(reached == listening);
    }
}

TEST_CASE("who replaces a left-over file has its directory locked meanwhile, and asks again when it has") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    leaveOver(path);
    const PlainSocket directory(::open(scratch.file("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(::flock(directory.descriptor(), LOCK_EX) == 0);
    std::atomic<bool> begins = false;
    SocketError error = SocketError::None;
    std::thread other([&] {
        LocalServer server;
        begins = true;
        server.listen(path);
        error = server.serverError();
    });
    while (!begins) {
    }
    const auto end = std::chrono::steady_clock::now() + 20ms; // much less than it waits
    while (std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    fs::remove(path);
    const PlainSocket first = listeningAt(path);
    ::flock(directory.descriptor(), LOCK_UN);
    other.join();
    CHECK(error == SocketError::AddressInUse);
    const PlainSocket client = connectedTo(path);
}

TEST_CASE("the file is removed at close, if it still is the one that the server made") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    LocalServer server;
    REQUIRE(server.listen(path));
    CHECK(fs::is_socket(path));
    server.close();
    CHECK_FALSE(fs::exists(path));
    CHECK(server.serverName().empty());

    REQUIRE(server.listen(path));
    fs::remove(path);
    const PlainSocket other = listeningAt(path);
    server.close();
    CHECK(fs::is_socket(path));

    auto doomed = std::make_unique<LocalServer>();
    REQUIRE(doomed->listen(scratch.file("doomed")));
    doomed.reset();
    CHECK_FALSE(fs::exists(scratch.file("doomed")));
}

TEST_CASE("the file has the permissions that were asked for, whatever the umask") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    const mode_t before = ::umask(022);
    LocalServer server;
    REQUIRE(server.listen(path));
    CHECK(permissionsOf(path) == 0755);
    server.close();
    for (const mode_t each : {0600U, 0666U, 0770U}) {
        server.setFilePermissions(each);
        REQUIRE(server.listen(path));
        CHECK(permissionsOf(path) == each);
        server.close();
    }
    ::umask(before);
}

TEST_CASE("names that cannot be are refused with a sentence") {
    const ScratchDirectory scratch;
    LocalServer server;
    const auto fails = [&](const std::string& name, SocketError error, const std::string& reason) {
        CAPTURE(name);
        CHECK_FALSE(server.listen(name));
        CHECK(server.serverError() == error);
        CHECK(server.errorString() == "cannot listen at " + name + ": " + reason);
        LocalSocket socket;
        socket.connectToServer(name);
        CHECK_FALSE(socket.waitForConnected(5000));
        CHECK(socket.errorString() == "cannot connect to " + (name.empty() ? "the local peer" : name) + ": " + reason);
    };
    fails(scratch.file(std::string(108, 'x')), SocketError::SocketAddressNotAvailable, "File name too long");
    fails('@' + std::string(108, 'x'), SocketError::SocketAddressNotAvailable, "File name too long");
    fails(scratch.file("missing/server"), SocketError::SocketAddressNotAvailable, "No such file or directory");
    fails("", SocketError::UnsupportedSocketOperation, "Invalid argument");
    fails("@", SocketError::UnsupportedSocketOperation, "Invalid argument");
    fails(std::string("nul\0inside", 10), SocketError::UnsupportedSocketOperation, "Invalid argument");
    const std::string longest = scratch.file("") + std::string(107 - scratch.file("").size(), 'x');
    CHECK(server.listen(longest));
    LocalSocket socket;
    socket.connectToServer(longest);
    CHECK(socket.waitForConnected(5000));
}

TEST_CASE("a listener is adopted by the kind of server that it is for, and its file stays") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    PlainSocket listener = listeningAt(path);
    TcpServer tcp;
    CHECK_FALSE(tcp.setSocketDescriptor(listener.descriptor()));
    CHECK(tcp.serverError() == SocketError::UnsupportedSocketOperation);
    LocalServer server;
    const PlainSocket internet = PlainSocket::listening();
    CHECK_FALSE(server.setSocketDescriptor(internet.descriptor()));
    CHECK(server.serverError() == SocketError::UnsupportedSocketOperation);
    REQUIRE(server.setSocketDescriptor(listener.release()));
    CHECK(server.serverName() == path);
    const PlainSocket client = connectedTo(path);
    CHECK(pumpUntil([&] { return server.hasPendingConnections(); }));
    server.close();
    CHECK(fs::is_socket(path)); // who made it removes it
}

TEST_CASE("a local server serves from another thread, and takes its file along") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    Thread thread;
    thread.start();
    auto* const server = new LocalServer;
    REQUIRE(server->listen(path));
    server->newConnection.connect(server, [server] {
        while (LocalSocket* const socket = server->nextPendingConnection())
            socket->readyRead.connect(socket, [socket] { socket->write(socket->readAll()); });
    });
    thread.finished.connect(server, &Object::deleteLater);
    REQUIRE(server->moveToThread(&thread));
    LocalSocket client;
    client.connectToServer(path);
    client.write("there and back");
    CHECK(pumpUntil([&] { return client.bytesAvailable() == 14; }));
    thread.quit();
    thread.wait();
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("in a slot of newConnection a local server may close, listen again and be deleted") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    auto* server = new LocalServer;
    int announced = 0;
    server->newConnection.connect([&] {
        ++announced;
        server->close();
        CHECK(server->listen(path));
    });
    REQUIRE(server->listen(path));
    const PlainSocket first = connectedTo(path);
    REQUIRE(pumpUntil([&] { return announced == 1; }));
    server->newConnection.connect([&] { delete std::exchange(server, nullptr); });
    const PlainSocket second = connectedTo(path);
    CHECK(pumpUntil([&] { return server == nullptr; }));
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("a server that gives its socket away leaves the file, and who waits in the backlog") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("server");
    LocalServer first;
    CHECK(first.releaseDescriptor() == -1);
    REQUIRE(first.listen(path));
    const auto client = connectedTo(path);
    const int descriptor = first.releaseDescriptor();
    REQUIRE(descriptor >= 0);
    CHECK_FALSE(first.isListening());
    LocalServer second;
    REQUIRE(second.setSocketDescriptor(descriptor));
    CHECK(second.serverName() == path);
    CHECK(second.waitForNewConnection(static_cast<int>(patience().count())));
    CHECK(connectedTo(path).descriptor() >= 0);
}
