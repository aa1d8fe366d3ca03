// What an operator asks of the server: addresses, limits, metrics, logs, its end and its successor.
#include "echo_client.h"
#include "program.h"

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>
#include <from_address.h>
#include <scratch_directory.h>

using namespace halyard::test;

namespace {

std::uint16_t portIn(const std::string& line) {
    return static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
}

/// Reads the server's lines up to the one that begins so; gives the rest of it.
std::string after(Program& server, const std::string& beginning) {
    for (;;)
        if (const std::string line = server.readLine(); line.starts_with(beginning))
            return line.substr(beginning.size());
}

std::string get(std::uint16_t port, const std::string& path) {
    const auto client = connectPatiently(port);
    client.send("GET " + path + " HTTP/1.0\r\n\r\n");
    return client.receive();
}

/// A server with metrics, whose first lines have been read.
struct Observed {
    explicit Observed(std::vector<std::string> options = {}) : server(with(std::move(options))) {
        metrics = portIn("127.0.0.1:" + after(server, "metrics at http://127.0.0.1:"));
    }
    static std::vector<std::string> with(std::vector<std::string> options) {
        options.insert(options.end(), {"--metrics", "127.0.0.1:0"});
        return options;
    }

    /// The sum over all loops.
    double metric(const std::string& name, const std::string& label = {}) const {
        const std::string page = get(metrics, "/metrics");
        double sum = 0;
        const std::string start = "\nhalyard_echo_" + name + '{';
        for (std::size_t at = page.find(start); at != std::string::npos; at = page.find(start, at + 1)) {
            const std::string line = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
            if (contains(line, label))
                sum += std::stod(line.substr(line.rfind(' ')));
        }
        return sum;
    }
    bool comesTo(const std::string& name, double value, const std::string& label = {}) const {
        const auto end = std::chrono::steady_clock::now() + patience();
        while (metric(name, label) != value)
            if (std::chrono::steady_clock::now() > end)
                return false;
        return true;
    }

    EchoServer server;
    std::uint16_t metrics = 0;
};

bool echoes(const PlainSocket& client, const std::string& words) {
    client.send(words);
    return client.receive(words.size()) == words;
}

} // namespace

TEST_CASE("several addresses at once, on several loops") {
    const ScratchDirectory scratch;
    const std::string path = scratch.file("socket");
    auto server = Program::echo({"serve", "127.0.0.1:0", "unix:" + path, "127.0.0.2:0", "--threads", "3"});
    const std::uint16_t first = portIn(after(server, "listening on 127.0.0.1"));
    CHECK(server.readLine() == "listening on unix:" + path);
    const std::uint16_t second = portIn(after(server, "listening on 127.0.0.2"));
    for (int i = 0; i != 12; ++i)
        CHECK(echoes(connectPatiently(first), "hello"));
    for (const std::string& where : {"unix:" + path, "127.0.0.2:" + std::to_string(second)})
        CHECK(Program::echo({"send", where, "hello"}).finish().output == "hello\n");
    server.signal(SIGTERM);
    const auto result = server.finish();
    CHECK(result.code == 0);
    CHECK(result.output.ends_with("stopped: 14 connections, 72 bytes\n"));
    CHECK(result.errors.empty());
    CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("the last line is the last, whatever the other loops have to tell, and counts all") {
    EchoServer server({"--threads", "4"});
    std::vector<PlainSocket> clients;
    for (int i = 0; i != 200; ++i)
        clients.push_back(connectPatiently(server.port()));
    for (const PlainSocket& each : clients)
        CHECK(echoes(each, "hello"));
    clients.clear();
    const auto result = server.stop();
    CHECK(result.code == 0);
    const std::size_t last = result.output.rfind('\n', result.output.size() - 2) + 1;
    CHECK(result.output.substr(last) == "stopped: 200 connections, 1000 bytes\n");
}

TEST_CASE("metrics count what happens, and /ready says so") {
    Observed its({"--threads", "2"});
    auto client = connectPatiently(its.server.port());
    CHECK(echoes(client, "hello"));
    CHECK(its.comesTo("sent_bytes_total", 5));
    CHECK(its.metric("connections") == 1);
    CHECK(its.metric("received_bytes_total") == 5);
    CHECK(its.metric("queued_bytes") == 0);
    client.reset();
    CHECK(its.comesTo("errors_total", 1, "kind=\"RemoteHostClosed\""));
    CHECK(its.comesTo("connections", 0));
    CHECK(its.metric("connections_total") == 1);
    CHECK(its.metric("loop_lag_seconds") < 60);
    CHECK(get(its.metrics, "/ready").starts_with("HTTP/1.0 200 "));
    CHECK(get(its.metrics, "/nonsense").starts_with("HTTP/1.0 404 "));
    CHECK(get(its.metrics, "").starts_with("HTTP/1.0 404 "));
    const auto post = connectPatiently(its.metrics);
    post.send("POST /metrics HTTP/1.0\r\n\r\n");
    CHECK(post.receive().starts_with("HTTP/1.0 405 "));
    const auto longOne = connectPatiently(its.metrics);
    longOne.send("GET /" + std::string(8192 - 5, 'x'));
    CHECK(longOne.receive().starts_with("HTTP/1.0 431 "));
    CHECK(its.server.stop().code == 0);
}

TEST_CASE("more clients than allowed wait until one has gone") {
    Observed its({"--max-clients", "2"});
    auto first = connectPatiently(its.server.port());
    const auto second = connectPatiently(its.server.port());
    CHECK(echoes(first, "one"));
    CHECK(echoes(second, "two"));
    const auto third = connectPatiently(its.server.port());
    third.send("three");
    CHECK(its.comesTo("accept_pauses_total", 1));
    CHECK(its.metric("connections_total") == 2);
    first.close();
    CHECK(third.receive(5) == "three");
    CHECK(its.metric("accept_pauses_total") == 2); // and is full again
}

TEST_CASE("accepting pauses once when it has its clients, whatever they owe of PROXY protocol headers then") {
    Observed its({"--max-clients", "2", "--proxy-protocol", "127.0.0.0/8"});
    const auto first = connectPatiently(its.server.port());
    const auto second = connectPatiently(its.server.port());
    CHECK(its.comesTo("accept_pauses_total", 1));
    for (const PlainSocket* each : {&first, &second}) {
        each->send("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n");
        CHECK(echoes(*each, "hello"));
    }
    CHECK(its.metric("accept_pauses_total") == 1);
    CHECK(its.metric("connections_total") == 2);
}

TEST_CASE("an address that has all of its clients is reset, told of and counted, and others are served") {
    Observed its({"--max-clients-per-address", "2", "--threads", "2"});
    std::vector<PlainSocket> flood;
    for (int i = 0; i != 200; ++i) {
        flood.push_back(connectedFrom(66, its.server.port()));
        if (i % 50 == 0)
            CHECK(echoes(connectPatiently(its.server.port()), "hello"));
    }
    CHECK(its.comesTo("refused_clients_total", 198));
    CHECK(its.metric("connections") == 2);
    CHECK(echoes(connectPatiently(its.server.port()), "hello"));
    const auto result = its.server.stop();
    CHECK(result.code == 0);
    const std::string& log = result.errors;
    std::size_t told = 0;
    for (std::size_t at = log.find("is turned away"); at != std::string::npos; at = log.find("is turned away", at + 1))
        ++told;
    CHECK(told >= 1);
    CHECK(told <= 2); // of each loop one
}

TEST_CASE("clients that hold what they have and say nothing, or never read, are let go, and who waits is served") {
    Observed its({"--max-clients", "8", "--idle-timeout", "0.5", "--write-timeout", "0.5", "--max-queued", "65536"});
    std::vector<PlainSocket> silent;
    for (std::uint8_t i = 0; i != 4; ++i)
        silent.push_back(connectedFrom(static_cast<std::uint8_t>(70 + i), its.server.port()));
    std::vector<PlainSocket> deaf;
    const std::string much(256 * 1024, 'x');
    for (std::uint8_t i = 0; i != 4; ++i) {
        deaf.push_back(connectedFrom(static_cast<std::uint8_t>(80 + i), its.server.port()));
        while (::send(deaf.back().descriptor(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        }
    }
    CHECK(echoes(connectPatiently(its.server.port()), "hello"));
    CHECK(its.comesTo("errors_total", 8, "kind=\"SocketTimeout\""));
}

TEST_CASE("a client that is silent too long is let go") {
    Observed its({"--idle-timeout", "0.05"});
    const auto client = connectPatiently(its.server.port());
    CHECK(client.receive().empty());
    CHECK(its.comesTo("errors_total", 1, "kind=\"SocketTimeout\""));
}

TEST_CASE("behind a trusted balancer the client's own address is told, and nobody else may come") {
    SUBCASE("trusted") {
        EchoServer server({"--proxy-protocol", "127.0.0.0/8"});
        const auto client = connectPatiently(server.port());
        client.send("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nhello");
        CHECK(client.receive(5) == "hello");
        CHECK(server.readLine() == "192.0.2.1:56324 connected");
        const auto rude = connectPatiently(server.port());
        rude.send("hello");
        CHECK(rude.receive().empty());
        const auto result = server.stop();
        CHECK(contains(result.errors, "is turned away: it does not begin with a PROXY protocol header\n"));
    }
    SUBCASE("not trusted") {
        Observed its({"--proxy-protocol", "10.0.0.0/8", "--proxy-protocol", "fd00::/8"});
        const auto client = connectPatiently(its.server.port());
        CHECK(client.receive().empty());
        CHECK(its.comesTo("refused_clients_total", 1));
    }
}

TEST_CASE("on SIGTERM a draining server serves those that are there, and is not ready for more") {
    Observed its({"--drain", "600", "--drain-delay", "600"});
    auto client = connectPatiently(its.server.port());
    CHECK(echoes(client, "hello"));
    SUBCASE("at first it only says so") {
        its.server.signal(SIGTERM);
        after(its.server, "not ready any more; draining in 600000 ms");
        CHECK(get(its.metrics, "/ready").starts_with("HTTP/1.0 503 "));
        CHECK(echoes(connectPatiently(its.server.port()), "new"));
        its.server.signal(SIGTERM);
    }
    CHECK(its.server.finish().code == 0);
}

TEST_CASE("the last client is the end of a draining server, and so is the deadline") {
    for (const bool patient : {true, false}) {
        EchoServer server({"--drain", patient ? "600" : "0.05", "--threads", "2"});
        auto client = connectPatiently(server.port());
        CHECK(echoes(client, "hello"));
        server.signal(SIGTERM);
        after(server, "draining");
        if (patient) {
            CHECK(echoes(client, "still here"));
            client.close();
        }
        const auto result = server.finish();
        CHECK(result.code == 0);
        CHECK(contains(result.output, "stopped: 1 connection, "));
    }
}

TEST_CASE("a successor takes the sockets over, and every client is served") {
    Observed its({"--threads", "2"});
    auto old = connectPatiently(its.server.port());
    CHECK(echoes(old, "hello"));
    its.server.signal(SIGUSR2);
    const std::string successor = after(its.server, "handed over to process ");
    CHECK(echoes(connectPatiently(its.server.port()), "new"));
    CHECK(get(its.metrics, "/ready").starts_with("HTTP/1.0 200 "));
    CHECK(echoes(old, "still here"));
    old.close();
    // Which of the two the new one came to is left to chance: for a moment both accept.
    const auto connections = [&] { return std::stoi(after(its.server, "stopped: ")); };
    const int before = connections();
    ::kill(std::stoi(successor), SIGTERM);
    CHECK(before + connections() == 2);
    CHECK(its.server.finish().code == 0);
}

TEST_CASE("clients that come all the time while one server takes over from the other are all served") {
    EchoServer server({"--threads", "2", "--log-level", "info"});
    std::size_t served = 0;
    std::size_t asked = 0;
    const auto ask = [&] {
        ++asked;
        served += echoes(connectPatiently(server.port()), "hello") ? 1 : 0;
    };
    for (int i = 0; i != 50; ++i)
        ask();
    server.signal(SIGUSR2);
    for (int i = 0; i != 300; ++i)
        ask();
    const std::string successor = after(server, "handed over to process ");
    for (int i = 0; i != 50; ++i)
        ask();
    CHECK(served == asked);
    ::kill(std::stoi(successor), SIGTERM);
    CHECK(server.finish().code == 0);
}

TEST_CASE("a successor that is not ready when SIGTERM comes does not outlive the server") {
    // What is found in the program's place when it starts anew never gets ready.
    auto server = Program::shell(R"(d=$(mktemp -d); ln -s "$echo" "$d/e"
        "$d/e" serve 127.0.0.1:0 --drain 600 & p=$!; read go
        printf '#!/bin/sh\necho successor $$\nexec sleep 60\n' >"$d/new"; chmod +x "$d/new"; mv "$d/new" "$d/e"
        kill -USR2 $p; read go; kill -TERM $p; wait $p; code=$?; rm -r "$d"; exit $code)");
    auto client = connectPatiently(portIn(after(server, "listening on 127.0.0.1")));
    CHECK(echoes(client, "hello"));
    server.write("go\n");
    const pid_t successor = std::stoi(after(server, "successor "));
    server.write("go\n");
    after(server, "draining");
    CHECK(::kill(successor, 0) != 0);
    ::kill(successor, SIGKILL); // it holds the server's standard output, where it lives
    CHECK(echoes(client, "still here"));
    client.close();
    const auto result = server.finish();
    CHECK(result.code == 0);
    CHECK(result.output.ends_with("stopped: 1 connection, 15 bytes\n"));
    CHECK(result.errors.empty());
}

TEST_CASE("a successor that cannot start leaves everything as it was") {
    // The program is gone from where it was found.
    auto server = Program::shell(R"(d=$(mktemp -d); ln "$echo" "$d/e" 2>/dev/null || cp "$echo" "$d/e"
        "$d/e" serve 127.0.0.1:0 & p=$!; read go; rm -r "$d"; kill -USR2 $p; wait $p)");
    const std::uint16_t port = portIn(after(server, "listening on 127.0.0.1"));
    server.write("go\n");
    const auto client = connectPatiently(port);
    CHECK(echoes(client, "hello"));
    server.endInput();
    CHECK(echoes(connectPatiently(port), "still here"));
}

TEST_CASE("logs come as text, as JSON and with priorities, on standard error") {
    const std::array<std::pair<const char*, const char*>, 3> formats{
        std::pair{"text", " debug 127.0.0.1:"},
        std::pair{"json", R"("level":"debug","message":"127.0.0.1:)"},
        std::pair{"journald", "<7>127.0.0.1:"},
    };
    for (const auto& [format, line] : formats) {
        auto server =
            Program::shell(R"("$echo" serve 127.0.0.1:0 --log "$1" 2>&1 & p=$!; read go; kill $p; wait $p)", {format});
        std::string first = server.readLine();
        const std::size_t at = first.find("127.0.0.1:");
        REQUIRE(at != std::string::npos);
        {
            auto client = connectPatiently(
                static_cast<std::uint16_t>(std::stoi(first.substr(at + std::string("127.0.0.1:").size()))));
            CHECK(echoes(client, "hello"));
        }
        CHECK(contains(server.readLine(), line));
        CHECK(contains(server.readLine(), "closed the connection (5 bytes echoed)"));
        server.write("go\n");
        const auto result = server.finish();
        CHECK(result.code == 0);
        CHECK(contains(result.output, "stopped: 1 connection, 5 bytes"));
    }
}

TEST_CASE("a configuration comes from the command line, the environment and a file, in this order") {
    const std::string prepare = R"(f=$(mktemp); printf '[serve]\nlisten=unix:/file\nthreads=2\n' >"$f"; )";
    const std::string end = R"(; code=$?; rm "$f"; exit $code)";
    const std::vector<std::pair<std::string, std::string>> cases{
        {R"("$echo" serve --config "$f" --check)", "valid: serve unix:/file\n"},
        {R"("$echo" --config "$f" serve --check)", "valid: serve unix:/file\n"},
        {R"(HALYARD_ECHO_LISTEN=unix:/environment "$echo" serve --check)", "valid: serve unix:/environment\n"},
        {R"(HALYARD_ECHO_LISTEN=unix:/environment "$echo" serve unix:/line --config "$f" --check)",
         "valid: serve unix:/line\n"},
        {R"("$echo" serve --check)", "valid: serve 127.0.0.1:7007\n"},
    };
    for (const auto& each : cases) {
        CAPTURE(each.first);
        const auto result = Program::shell(prepare + each.first + end).finish();
        CHECK(result.code == 0);
        CHECK(result.output == each.second);
        CHECK(result.errors.empty());
    }
    for (const char* bad : {"nonsense=1", "threads=-1", "listen=nowhere", "log=xml"}) {
        const auto result = Program::shell(R"(f=$(mktemp); printf '[serve]\n%s\n' "$1" >"$f"
            "$echo" serve --config "$f" --check; code=$?; rm "$f"; exit $code)",
                                           {bad})
                                .finish();
        CHECK(result.code == 2);
        CHECK(result.errors.starts_with("halyard-echo: "));
    }
}
