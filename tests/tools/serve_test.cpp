#include "echo_client.h"
#include "program.h"

#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace halyard::test;

TEST_CASE("a client gets back what it sends, and its coming and going is told") {
    for (const auto& way : bothWays) {
        EchoServer server(way);
        auto client = connectPatiently(server.port());
        CHECK(server.readLine() == nameOf(client) + " connected");
        client.send("hello ");
        CHECK(client.receive(6) == "hello ");
        client.send("there\n");
        CHECK(client.receive(6) == "there\n");
        const std::string farewell = closed(client, 12);
        client.close();
        CHECK(server.readLine() == farewell);

        const auto result = server.stop();
        CHECK(result.code == 0);
        CHECK(result.output == "stopped: 1 connection, 12 bytes\n");
        CHECK(result.errors.empty());
    }
}

TEST_CASE("SIGTERM and SIGINT end the server well, idle or with a client") {
    for (const auto& way : bothWays) {
        for (const int number : {SIGTERM, SIGINT}) {
            EchoServer idle(way);
            idle.signal(number);
            auto result = idle.finish();
            CHECK(result.code == 0);
            CHECK(result.output == "stopped: 0 connections, 0 bytes\n");
            CHECK(result.errors.empty());

            EchoServer busy(way);
            const auto client = connectPatiently(busy.port());
            client.send("x");
            CHECK(client.receive(1) == "x");
            busy.readLine();
            busy.signal(number);
            result = busy.finish();
            CHECK(result.code == 0);
            CHECK(result.output == "stopped: 1 connection, 1 byte\n");
            CHECK(result.errors.empty());
        }
    }
}

TEST_CASE("a client that ends its side gets everything, then the end") {
    const std::string text = Pattern().make(1'500'000);
    for (const auto& way : bothWays) {
        EchoServer server(way);
        const auto client = connectPatiently(server.port());
        // Nothing is read meanwhile; it all fits the buffers on the way, but not any single one.
        client.send(text);
        client.shutdownWrite();
        CHECK(client.receive() == text);
        server.readLine();
        CHECK(server.readLine() == closed(client, text.size()));
    }
}

TEST_CASE("clients that send and close at once lose nothing") {
    constexpr std::size_t clients = 200;
    for (const auto& way : bothWays) {
        EchoServer server(way);
        const std::string text = Pattern().make(1000);
        for (std::size_t i = 0; i != clients; ++i) {
            auto client = connectPatiently(server.port());
            client.send(text);
            client.close();
        }
        for (std::size_t lines = 0; lines != 2 * clients; ++lines)
            server.readLine();
        const auto result = server.stop();
        CHECK(result.code == 0);
        CHECK(result.output == "stopped: 200 connections, 200000 bytes\n");
    }
}

TEST_CASE("a client that resets harms nobody") {
    for (const auto& way : bothWays) {
        EchoServer server(way);
        auto rude = connectPatiently(server.port());
        rude.send("hello");
        CHECK(rude.receive(5) == "hello");
        const std::string name = nameOf(rude);
        rude.reset();
        CHECK(server.readLine() == name + " connected");
        CHECK(server.readLine() == "the connection to " + name + " broke: Connection reset by peer (5 bytes echoed)");

        const auto polite = connectPatiently(server.port());
        polite.send("hello");
        CHECK(polite.receive(5) == "hello");
        const auto result = server.stop();
        CHECK(result.code == 0);
        CHECK(result.errors.empty());
    }
}

TEST_CASE("clients that reset while much of theirs is on its way harm nobody") {
    for (const auto& way : bothWays) {
        EchoServer server(way);
        const std::string text = Pattern().make(400'000);
        for (int i = 0; i != 20; ++i) {
            auto rude = connectPatiently(server.port());
            rude.send(text);
            rude.reset();
        }
        // Each comes and goes, with whatever sentence.
        for (int lines = 0; lines != 40; ++lines)
            server.readLine();
        const auto polite = connectPatiently(server.port());
        polite.send("hello");
        CHECK(polite.receive(5) == "hello");
        CHECK(server.stop().code == 0);
    }
}

TEST_CASE("without an event loop clients are served one after the other") {
    EchoServer server({"--blocking"});
    auto first = connectPatiently(server.port());
    first.send("first");
    CHECK(first.receive(5) == "first");
    const auto second = connectPatiently(server.port());
    second.send("second");
    CHECK(server.readLine() == nameOf(first) + " connected");
    const std::string farewell = closed(first, 5);
    first.close();
    CHECK(server.readLine() == farewell);
    CHECK(server.readLine() == nameOf(second) + " connected");
    CHECK(second.receive(6) == "second");
}

TEST_CASE("who closes the server's output early ends it by SIGPIPE with the next line") {
    auto pipeline = Program::shell(R"({ "$echo" serve 0; echo "$?" >&2; } | head -n 1)");
    const std::string line = pipeline.readLine();
    const auto port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
    // head may take its time to end: until then clients are told to nobody in particular.
    PlainSocket client;
    for (std::string last = "x"; !last.empty(); last = client.receive(1)) {
        client = PlainSocket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in name = PlainSocket::loopback(port);
        if (::connect(client.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
            break;
        client.send("x");
    }
    const auto result = pipeline.finish();
    CHECK(result.errors == std::to_string(128 + SIGPIPE) + "\n");
}
