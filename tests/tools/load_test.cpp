#include "echo_client.h"
#include "program.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/resource.h>

#include <doctest/doctest.h>

using namespace halyard::test;

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

/// As many descriptors as the system lets this program have, and those that it starts.
void allowManyDescriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool waitFor(const PlainSocket& client, short what, std::chrono::milliseconds atMost) {
    pollfd look{client.descriptor(), what, 0};
    return ::poll(&look, 1, static_cast<int>(atMost.count())) > 0;
}

/// How far `client` comes with sending when it never reads: it stalls when nothing is taken for a while.
std::size_t pushUntilStalled(const PlainSocket& client, const Pattern& pattern, std::size_t size) {
    std::size_t sent = 0;
    while (sent != size && waitFor(client, POLLOUT, patience(std::chrono::milliseconds(500)))) {
        const std::string_view bytes = pattern.at(sent, size - sent);
        const ssize_t taken = ::send(client.descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN)
            break; // it has not stalled, it is gone
        sent += static_cast<std::size_t>(std::max<ssize_t>(taken, 0));
    }
    return sent;
}

/// Sends the rest while it reads everything, then ends. How much came back right.
std::size_t exchange(const PlainSocket& client, const Pattern& pattern, std::size_t sent, std::size_t size) {
    std::size_t received = 0;
    std::string buffer(256 * 1024, '\0');
    for (;;) {
        const short what = sent != size ? POLLIN | POLLOUT : POLLIN;
        pollfd look{client.descriptor(), what, 0};
        if (::poll(&look, 1, static_cast<int>(patience().count())) <= 0)
            return received;
        if ((look.revents & POLLOUT) != 0) {
            const std::string_view bytes = pattern.at(sent, size - sent);
            const ssize_t taken = ::send(client.descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (taken > 0)
                sent += static_cast<std::size_t>(taken);
            if (sent == size)
                client.shutdownWrite();
        }
        if ((look.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            const ssize_t got = ::recv(client.descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN))
                return received;
            if (got > 0 && !pattern.isAt(received, std::string_view(buffer).substr(0, static_cast<std::size_t>(got))))
                return received;
            received += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
        }
    }
}

} // namespace

TEST_CASE("a thousand clients at once, each with words of its own") {
    allowManyDescriptors();
    constexpr std::size_t count = 1000;
    EchoServer server;
    std::vector<PlainSocket> clients;
    for (std::size_t i = 0; i != count; ++i)
        clients.push_back(connectPatiently(server.port()));
    for (std::size_t i = 0; i != count; ++i)
        server.readLine(); // a pipe does not hold all that the server has to tell
    for (int round = 0; round != 3; ++round) {
        const auto words = [round](std::size_t client) {
            return "client " + std::to_string(client) + " round " + std::to_string(round) + '\n';
        };
        for (std::size_t i = 0; i != count; ++i)
            clients[i].send(words(i));
        std::size_t right = 0;
        for (std::size_t i = 0; i != count; ++i)
            right += clients[i].receive(words(i).size()) == words(i) ? 1 : 0;
        CHECK(right == count);
    }
    std::size_t ended = 0;
    for (const PlainSocket& each : clients) {
        each.shutdownWrite();
        ended += each.receive().empty() && !server.readLine().empty() ? 1 : 0;
    }
    CHECK(ended == count);

    const auto result = server.stop();
    CHECK(result.code == 0);
    CHECK(result.errors.empty());
    CHECK(result.output.starts_with("stopped: 1000 connections, "));
}

TEST_CASE("a client that never reads stalls instead of filling the server's memory, and then gets everything") {
    const Pattern pattern;
    constexpr std::size_t size = 200 * mebibyte;
    for (const auto& way : bothWays) {
        EchoServer server(way);
        const auto client = connectPatiently(server.port());
        const std::size_t before = server.residentMemory();
        const std::size_t sent = pushUntilStalled(client, pattern, size);
        CHECK(sent < size);
        // The library's buffers take less than 2 MiB; the rest is for what a sanitizer keeps about them.
        CHECK(server.residentMemory() < before + 16 * mebibyte);

        CHECK(exchange(client, pattern, sent, size) == size);
        CHECK(server.residentMemory() < before + 16 * mebibyte);
        CHECK(server.stop().code == 0);
    }
}

TEST_CASE("what the server has not looked at when the client's end comes is answered, too") {
    const Pattern pattern;
    for (const auto& way : bothWays) {
        EchoServer server(way);
        // At some of these sizes the end overtakes bytes that the server has left alone, because much waits to be sent
        // already. Which sizes, and how many fit the buffers on the way at all, is the system's affair.
        bool fits = true;
        for (std::size_t size = 3'000'000; size < 8'000'000 && fits; size += 200'000) {
            const auto client = connectPatiently(server.port());
            client.setBuffer(SO_SNDBUF, 400'000);
            const std::size_t sent = pushUntilStalled(client, pattern, size);
            fits = sent == size;
            if (fits)
                client.shutdownWrite();
            // Time for the end to overtake them; without a loop, more than the server waits at a time.
            ::poll(nullptr, 0, way.empty() ? 10 : 250);
            CHECK(exchange(client, pattern, sent, size) == size);
            server.readLine();
            CHECK(server.readLine() == closed(client, size));
        }
    }
}
