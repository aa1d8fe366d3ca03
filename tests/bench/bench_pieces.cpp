// Pieces of Halyard on their own, so many operations of each, to be counted from outside. Clients are plain sockets of
// the same thread: so every run is alike, however busy the machine is.

#include "plain_socket.h"

#include <halyard/core/deadline.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr char usage[] = R"(usage: bench_pieces PIECE TIMES [ARMED]

connection  a client is accepted, 64 bytes of his are echoed, he goes
wait        a waitForNewConnection() finds a client, who is taken and let go
outside     10 times 64 bytes are written outside any slot
inside      10 times 64 bytes are written in a slot that one byte of the client has called
copied      a slot called so writes 16 KiB, and keeps the string
moved       a slot called so writes 16 KiB, and gives the string away
deadlines   one of so many armed deadlines is armed for later, each in its turn
timers      one of so many active timers is started again, each in its turn
)";

class Server : public halyard::TcpServer {
  public:
    Server() {
        if (!listen(halyard::HostAddress::LocalHost))
            throw std::runtime_error(errorString());
    }

    bench::Descriptor newClient() const {
        bench::Descriptor client(bench::checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name.sin_port = htons(serverPort());
        bench::checked(::connect(client.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), "connect");
        return client;
    }
};

void connection(std::size_t times) {
    Server server;
    server.newConnection.connect([&server] {
        while (halyard::TcpSocket* const client = server.nextPendingConnection()) {
            client->readyRead.connect([client] { client->write(client->readAll()); });
            client->disconnected.connect(client, &halyard::TcpSocket::deleteLater);
        }
    });
    std::array<char, 64> bytes{};
    const auto receive = [&bytes](const bench::Descriptor& client) {
        ssize_t received = -1;
        while ((received = ::recv(client.get(), bytes.data(), bytes.size(), MSG_DONTWAIT)) < 0)
            halyard::EventLoop::current()->processEvents(1s);
        return static_cast<std::size_t>(received);
    };
    while (times-- != 0) {
        const bench::Descriptor client = server.newClient();
        bench::checked(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0 ? 0 : -1, "send");
        if (receive(client) != bytes.size())
            throw std::runtime_error("that is no echo");
        bench::checked(::shutdown(client.get(), SHUT_WR), "shutdown");
        if (receive(client) != 0)
            throw std::runtime_error("that is no end");
    }
}

/// A client and its socket; `write` writes so many bytes, in the slot of its readyRead where `inSlot`.
template <class Write>
void writing(std::size_t times, std::size_t bytes, bool inSlot, Write write) {
    Server server;
    const bench::Descriptor client = server.newClient();
    if (!server.waitForNewConnection(-1))
        throw std::runtime_error(server.errorString());
    halyard::TcpSocket& socket = *server.nextPendingConnection();
    socket.readyRead.connect([&socket, write] {
        socket.skip(1);
        write(socket);
    });
    std::vector<char> buffer(bytes);
    while (times-- != 0) {
        if (inSlot)
            bench::checked(::send(client.get(), "!", 1, MSG_NOSIGNAL) == 1 ? 0 : -1, "send");
        else
            write(socket);
        std::size_t left = bytes;
        while (left != 0) {
            const ssize_t received = ::recv(client.get(), buffer.data(), left, MSG_DONTWAIT);
            if (received > 0)
                left -= static_cast<std::size_t>(received);
            else
                halyard::EventLoop::current()->processEvents(1s);
        }
    }
}

void writeTenTimes(halyard::TcpSocket& socket) {
    const std::array<char, 64> bytes{};
    for (int i = 0; i != 10; ++i)
        socket.write(std::string_view(bytes.data(), bytes.size()));
}

std::string longText() { return std::string(16 * 1024, 'x'); }

void writeCopy(halyard::TcpSocket& socket) {
    const std::string text = longText();
    socket.write(text);
}

void writeMoved(halyard::TcpSocket& socket) { socket.write(longText()); }

void wait(std::size_t times) {
    Server server;
    while (times-- != 0) {
        const bench::Descriptor client = server.newClient();
        if (!server.waitForNewConnection(-1))
            throw std::runtime_error(server.errorString());
        delete server.nextPendingConnection();
    }
}

struct IdleDeadline final : halyard::Deadline {
    void start() { arm(after(60s)); }
    void dispatch() override {}
};

struct IdleTimer final : halyard::Timer {
    void start() { halyard::Timer::start(60s); }
};

template <class Alarm>
void restart(std::size_t times, std::size_t armed) {
    std::vector<std::unique_ptr<Alarm>> alarms(armed);
    for (auto& each : alarms) {
        each = std::make_unique<Alarm>();
        each->start();
    }
    for (std::size_t i = 0; i != times; ++i)
        alarms[i % armed]->start();
}

void run(std::string_view piece, std::size_t times, std::size_t armed) {
    if (piece == "connection")
        return connection(times);
    if (piece == "wait")
        return wait(times);
    if (piece == "outside")
        return writing(times, 640, false, writeTenTimes);
    if (piece == "inside")
        return writing(times, 640, true, writeTenTimes);
    if (piece == "copied")
        return writing(times, 16 * 1024, true, writeCopy);
    if (piece == "moved")
        return writing(times, 16 * 1024, true, writeMoved);
    if (piece == "deadlines" && armed != 0)
        return restart<IdleDeadline>(times, armed);
    if (piece == "timers" && armed != 0)
        return restart<IdleTimer>(times, armed);
    throw std::invalid_argument("there is no such piece");
}

std::size_t numberAt(int place, int argc, char** argv) {
    return argc > place ? std::strtoull(argv[place], nullptr, 10) : 0;
}

} // namespace

int main(int argc, char** argv) {
    try {
        const halyard::EventLoop loop;
        run(argc > 1 ? argv[1] : "", numberAt(2, argc, argv), numberAt(3, argc, argv));
        return 0;
    } catch (const std::invalid_argument& error) {
        std::fprintf(stderr, "bench_pieces: %s\n\n%s", error.what(), usage);
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_pieces: %s\n", error.what());
        return 1;
    }
}
