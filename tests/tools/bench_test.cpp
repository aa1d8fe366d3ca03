// What a bench measures, and how it tells.
#include "echo_client.h"
#include "program.h"

#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace halyard::test;

namespace {

/// The number after a key of the JSON that bench writes.
double number(const std::string& json, const std::string& key) {
    const std::size_t at = json.find('"' + key + "\": ");
    return at == std::string::npos ? -1 : std::stod(json.substr(at + key.size() + 4));
}

Program::Result bench(const std::string& where, std::vector<std::string> options) {
    options.insert(options.begin(), {"bench", where, "--warm-up", "0"});
    return Program::echo(options).finish();
}

} // namespace

TEST_CASE("a closed loop measures echoes, and loses none") {
    EchoServer server;
    const auto result = bench(server.address(), {"--duration", "0.2", "--connections", "3", "--depth", "2", "--json"});
    CHECK(result.code == 0);
    CHECK(result.errors.empty()); // no terminal, no progress
    CHECK(number(result.output, "failed") == 0);
    CHECK(number(result.output, "connects") == 3);
    CHECK(number(result.output, "messages") > 0);
    const double median = number(result.output, "p50");
    CHECK(median > 0);
    CHECK(number(result.output, "p99") >= median);
    CHECK(number(result.output, "max") >= number(result.output, "p99.99"));
}

TEST_CASE("an open loop sends at its rate, and a server that stalls is not spared") {
    SUBCASE("at its rate") {
        EchoServer server;
        const auto result = bench(server.address(), {"--duration", "0.5", "--rate", "200", "--json"});
        CHECK(result.code == 0);
        CHECK(number(result.output, "messages") > 10);
        CHECK(number(result.output, "messages") <= 110);
    }
    SUBCASE("stalled") {
        // It takes the connection and answers nothing until the end is near: every message has waited since its time.
        const auto listener = PlainSocket::listening();
        auto client =
            Program::echo({"bench", "127.0.0.1:" + std::to_string(listener.port()), "--warm-up", "0", "--duration",
                           "600", "--rate", "1000", "--connections", "1", "--size", "10", "--json"});
        const auto server = listener.accept();
        const std::string messages = server.receive(1000);
        server.send(messages);
        const std::string more = server.receive(10); // so the bench has seen some of what came back, or soon will
        server.send(more);
        (void)server.receive(10);
        client.signal(SIGINT);
        const auto result = client.finish();
        CHECK(result.code == 0);
        // The first of a hundred has waited for the hundredth: 99 ms.
        CHECK(number(result.output, "max") > 0.09);
    }
}

TEST_CASE("who interrupts a bench gets what was measured so far") {
    EchoServer server;
    auto client = Program::echo({"bench", server.address(), "--warm-up", "0", "--duration", "600", "--connections", "1",
                                 "--per-connection", "1"});
    while (!contains(server.readLine(), "closed the connection")) { // which it does when its echo has come back
    }
    client.signal(SIGINT);
    const auto result = client.finish();
    CHECK(result.code == 0);
    CHECK(result.output.starts_with("interrupted: "));
    CHECK(result.output.find('\x1b') == std::string::npos);
}

TEST_CASE("connections that are made anew lose nothing") {
    EchoServer server({"--log-level", "info"});
    const auto result = bench(server.address(), {"--duration", "0.2", "--per-connection", "3", "--json"});
    CHECK(result.code == 0);
    CHECK(number(result.output, "failed") == 0);
    CHECK(number(result.output, "connects") > 10);
}

TEST_CASE("messages that are lost are counted, and an exit code 1") {
    const auto listener = PlainSocket::listening();
    SUBCASE("broken off") {
        auto client = Program::echo({"bench", "127.0.0.1:" + std::to_string(listener.port()), "--warm-up", "0",
                                     "--duration", "600", "--connections", "1", "--json"});
        auto first = listener.accept();
        CHECK(first.receive(64).size() == 64);
        first.reset();
        const auto second = listener.accept(); // it has noticed
        CHECK(second.receive(64).size() == 64);
        client.signal(SIGINT);
        const auto result = client.finish();
        CHECK(result.code == 1);
        CHECK(number(result.output, "failed") == 1);
    }
    SUBCASE("another echo") {
        auto client = Program::echo({"bench", "127.0.0.1:" + std::to_string(listener.port()), "--warm-up", "0",
                                     "--duration", "600", "--connections", "1"});
        const auto server = listener.accept();
        (void)server.receive(64);
        server.send("something else");
        const auto second = listener.accept();
        client.signal(SIGINT);
        const auto result = client.finish();
        CHECK(result.code == 1);
        CHECK(contains(result.output, "1 times: what came back is not what was sent"));
    }
}

TEST_CASE("where no message comes back, that is one sentence and exit code 1") {
    const auto listener = PlainSocket::listening(); // the kernel accepts, and nobody answers
    const std::string where = "127.0.0.1:" + std::to_string(listener.port());
    const auto result = bench(where, {"--connections", "1", "--duration", "0.05"});
    CHECK(result.code == 1);
    CHECK(result.output.starts_with("0 messages in "));
    CHECK(result.errors == "halyard-echo: no message came back from " + where + "\n");
}

TEST_CASE("nobody to measure is one sentence and exit code 1, at once") {
    const PlainSocket closed(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in name = PlainSocket::loopback(0);
    REQUIRE(::bind(closed.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    const std::string where = "127.0.0.1:" + std::to_string(closed.port());
    const auto result = bench(where, {"--connections", "1"});
    CHECK(result.code == 1);
    CHECK(result.output.empty());
    CHECK(result.errors == "halyard-echo: cannot connect to " + where + ": Connection refused\n");
}
