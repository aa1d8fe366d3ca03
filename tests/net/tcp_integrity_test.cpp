#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/thread.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>

using namespace halyard;
using namespace halyard::test;

namespace {

/// How much goes through; HALYARD_TEST_MEGABYTES makes it gigabytes.
std::size_t amount() {
    const char* const text = std::getenv("HALYARD_TEST_MEGABYTES");
    return (text != nullptr ? static_cast<std::size_t>(std::atol(text)) : 32) * 1024 * 1024;
}

/// The byte that belongs at a place of the stream, whatever the pieces are in which it travels.
char byteAt(std::size_t place) { return static_cast<char>((place * 2654435761U) >> 13); }

std::string piece(std::size_t from, std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i != size; ++i)
        text[i] = byteAt(from + i);
    return text;
}

bool isPiece(std::string_view text, std::size_t from) {
    for (std::size_t i = 0; i != text.size(); ++i)
        if (text[i] != byteAt(from + i))
            return false;
    return true;
}

} // namespace

TEST_CASE("every byte arrives, in pieces of all sizes, through small kernel buffers and read limits") {
    std::mt19937 random(99);
    TcpPair pair;
    for (TcpSocket* const each : {pair.near.get(), pair.far.get()}) {
        const int small = 32 * 1024; // much smaller ones wait for the kernel's delayed acknowledgements
        ::setsockopt(each->socketDescriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        ::setsockopt(each->socketDescriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    const std::size_t all = amount();
    std::size_t sent = 0;
    std::size_t told = 0;
    std::size_t received = 0;
    bool right = true;
    const auto feed = [&] {
        while (sent != all && pair.near->bytesToWrite() < 256 * 1024) {
            const std::size_t size =
                std::min<std::size_t>(all - sent, 1 + random() % (random() % 10 == 0 ? 100'000 : 2000));
            std::string text = piece(sent, size);
            const std::ptrdiff_t taken =
                random() % 2 == 0 ? pair.near->write(std::string_view(text)) : pair.near->write(std::move(text));
            REQUIRE(taken == static_cast<std::ptrdiff_t>(size));
            sent += size;
            if (random() % 50 == 0)
                pair.near->flush();
        }
        if (sent == all)
            pair.near->disconnectFromHost();
    };
    pair.near->bytesWritten.connect([&](std::int64_t n) {
        told += static_cast<std::size_t>(n);
        feed();
    });
    const auto drain = [&] {
        const std::size_t size = 1 + random() % 50'000;
        std::string text;
        switch (random() % 4) {
        case 0:
            text = pair.far->read(size);
            break;
        case 1:
            text = std::string(pair.far->peek());
            pair.far->skip(text.size());
            break;
        case 2: {
            text.resize(size);
            const std::ptrdiff_t got = pair.far->read(std::as_writable_bytes(std::span(text.data(), text.size())));
            text.resize(static_cast<std::size_t>(std::max<std::ptrdiff_t>(got, 0)));
            break;
        }
        default:
            text = pair.far->readAll();
        }
        right = right && isPiece(text, received);
        received += text.size();
        if (random() % 20 == 0)
            pair.far->setReadBufferSize(1 + random() % 100'000);
    };
    pair.far->readyRead.connect([&] {
        if (random() % 8 != 0) // else it lies there till the next turn
            drain();
    });
    feed();
    REQUIRE(pumpUntil(
        [&] {
            drain();
            return received == all && pair.far->state() == SocketState::Unconnected;
        },
        patience(std::chrono::seconds(60))));
    CHECK(right);
    CHECK(told == all);
}

TEST_CASE("every byte arrives in both directions at once, through pauses, limits, files and half closes") {
    std::mt19937 random(2024);
    TcpPair pair;
    struct Way {
        TcpSocket& from;
        TcpSocket& to;
        std::size_t all;
        std::size_t sent = 0;
        std::size_t told = 0;
        std::size_t received = 0;
        bool ended = false;
        bool right = true;
    };
    Way ways[2]{{*pair.near, *pair.far, amount()}, {*pair.far, *pair.near, amount() / 3}};
    constexpr std::size_t fileSize = 300'000;
    const auto feed = [&](Way& way) {
        while (way.sent != way.all && way.from.bytesToWrite() < 400'000) {
            const std::size_t size = std::min<std::size_t>(way.all - way.sent, 1 + random() % 100'000);
            if (random() % 8 == 0 && way.all - way.sent > fileSize) {
                // A file of its own each time: the one before is still being read.
                const int file = ::memfd_create("halyard-test", MFD_CLOEXEC);
                const std::string content = piece(way.sent, fileSize);
                REQUIRE(::pwrite(file, content.data(), fileSize, 0) == static_cast<ssize_t>(fileSize));
                REQUIRE(way.from.sendFile(file, 0, fileSize));
                ::close(file);
                way.sent += fileSize;
                continue;
            }
            way.from.write(piece(way.sent, size));
            way.sent += size;
        }
        if (way.sent == way.all)
            way.from.shutdownWrite();
    };
    const auto drain = [&](Way& way) {
        const std::string text = way.to.read(1 + random() % 120'000);
        way.right = way.right && isPiece(text, way.received);
        way.received += text.size();
    };
    for (Way& way : ways) {
        way.from.setAllowHalfOpen(true);
        way.from.setSocketOption(SocketOption::SendBufferSize, 32 * 1024);
        way.from.setSocketOption(SocketOption::ReceiveBufferSize, 32 * 1024);
        way.from.bytesWritten.connect([&](std::int64_t n) {
            way.told += static_cast<std::size_t>(n);
            feed(way);
        });
        way.to.readyRead.connect([&] { drain(way); });
        way.to.readChannelFinished.connect([&] { way.ended = true; });
    }
    for (Way& way : ways)
        feed(way);
    int round = 0;
    REQUIRE(pumpUntil(
        [&] {
            for (Way& way : ways) {
                switch (++round % 16) {
                case 3:
                    way.to.pauseReading();
                    break;
                case 5:
                case 6:
                    way.to.resumeReading();
                    break;
                case 9:
                    way.to.setReadBufferSize(1 + random() % 90'000);
                    break;
                case 12:
                    way.to.setReadBufferSize(0);
                    break;
                default:
                    break;
                }
                drain(way);
            }
            // Where both are paused nothing else would wake the loop.
            EventLoop::current()->post([] {});
            return ways[0].received == ways[0].all && ways[1].received == ways[1].all &&
                   pair.near->state() == SocketState::Unconnected && pair.far->state() == SocketState::Unconnected;
        },
        patience(std::chrono::seconds(120))));
    for (const Way& way : ways) {
        CHECK(way.right);
        CHECK(way.told == way.all);
        CHECK(way.ended);
        CHECK(way.from.error() == SocketError::None);
    }
}

TEST_CASE("every byte arrives by waits alone, between two threads without a loop") {
    const std::size_t all = amount();
    const PlainSocket listener = PlainSocket::listening();
    bool right = true;
    std::size_t received = 0;
    std::thread reader([&] {
        std::mt19937 random(5);
        TcpSocket socket;
        socket.setReadBufferSize(70'000);
        PlainSocket accepted = listener.accept();
        if (!socket.setSocketDescriptor(accepted.release()))
            return;
        while (socket.bytesAvailable() != 0 || socket.waitForReadyRead(-1)) {
            const std::string text = socket.read(1 + random() % 60'000);
            right = right && isPiece(text, received);
            received += text.size();
        }
    });
    std::thread([&] {
        std::mt19937 random(6);
        TcpSocket socket;
        socket.connectToHost(HostAddress::LocalHost, listener.port());
        if (!socket.waitForConnected())
            return;
        for (std::size_t sent = 0; sent != all;) {
            const std::size_t size = std::min<std::size_t>(all - sent, 1 + random() % 300'000);
            socket.write(piece(sent, size));
            sent += size;
            while (socket.bytesToWrite() > 1'000'000)
                socket.waitForBytesWritten(-1);
        }
        socket.disconnectFromHost();
        socket.waitForDisconnected(-1);
    }).join();
    reader.join();
    CHECK(received == all);
    CHECK(right);
}

TEST_CASE("every byte arrives with the peer on another thread's loop, both ways at once") {
    struct Way {
        std::size_t all;
        std::size_t sent = 0;
        std::size_t received = 0;
        bool right = true;
        std::atomic<bool> ended = false;
    };
    Way ways[2]{{amount()}, {amount() / 2}};
    const auto use = [](TcpSocket& socket, Way& out, Way& in, unsigned seed) {
        auto random = std::make_shared<std::mt19937>(seed);
        socket.setAllowHalfOpen(true);
        socket.setReadBufferSize(50'000);
        const auto feed = [&socket, &out, random] {
            while (out.sent != out.all && socket.bytesToWrite() < 300'000) {
                const std::size_t size = std::min<std::size_t>(out.all - out.sent, 1 + (*random)() % 60'000);
                socket.write(piece(out.sent, size));
                out.sent += size;
            }
            if (out.sent == out.all)
                socket.shutdownWrite();
        };
        socket.bytesWritten.connect(&socket, feed);
        const auto drain = [&socket, &in, random](std::size_t most) {
            const std::string text = socket.read(most);
            in.right = in.right && isPiece(text, in.received);
            in.received += text.size();
        };
        socket.readyRead.connect(&socket, [drain, random] { drain(25'000 + (*random)() % 60'000); });
        socket.readChannelFinished.connect(&socket, [drain, &in] {
            drain(std::string::npos);
            in.ended = true;
        });
        feed();
    };
    Thread thread;
    thread.start();
    TcpServer server;
    REQUIRE(server.listen(HostAddress::LocalHost));
    TcpSocket near;
    near.connectToHost(HostAddress::LocalHost, server.serverPort());
    REQUIRE(pumpUntil([&] { return server.hasPendingConnections() && near.state() == SocketState::Connected; }));
    TcpSocket* const far = server.nextPendingConnection();
    far->setParent(nullptr);
    thread.finished.connect(far, &Object::deleteLater);
    REQUIRE(far->moveToThread(&thread));
    far->disconnected.connect(far, [home = EventLoop::current()] { home->post([] {}); }); // to look again
    thread.eventLoop()->post([&] { use(*far, ways[1], ways[0], 12); });
    use(near, ways[0], ways[1], 11);
    CHECK(pumpUntil([&] { return ways[0].ended && ways[1].ended; }, patience(std::chrono::seconds(120))));
    thread.quit();
    thread.wait();
    for (const Way& way : ways) {
        CHECK(way.right);
        CHECK(way.received == way.all);
    }
}
