#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

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
