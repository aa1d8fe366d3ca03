#include "echo_client.h"
#include "program.h"

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>

#include <doctest/doctest.h>

using namespace halyard::test;

namespace {

std::string addressOf(const PlainSocket& listener) { return "127.0.0.1:" + std::to_string(listener.port()); }

} // namespace

TEST_CASE("words go as one line, whatever they look like") {
    EchoServer server;
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"hello"}, "hello\n"},
        {{"two", "words"}, "two words\n"},
        {{""}, "\n"},
        {{"", "", "x"}, "  x\n"},
        {{"[a,b]"}, "[a,b]\n"},
        {{"{}", "%%", "a=b"}, "{} %% a=b\n"},
        {{"-"}, "-\n"},
        {{"--", "--help"}, "--help\n"},
        {{"say", "--help", "--", "-x"}, "say --help -- -x\n"},
        {{"serve", "send"}, "serve send\n"},
        {{"gr\xc3\xbc\xc3\x9f\x65"}, "gr\xc3\xbc\xc3\x9f\x65\n"},
    };
    for (const auto& [text, line] : cases) {
        std::vector<std::string> words{"send", server.address()};
        words.insert(words.end(), text.begin(), text.end());
        const auto result = Program::echo(words).finish();
        CHECK(result.code == 0);
        CHECK(result.output == line);
        CHECK(result.errors.empty());
    }
}

TEST_CASE("a port alone is one of this host") {
    EchoServer server;
    const auto result = Program::echo({"send", std::to_string(server.port()), "hello"}).finish();
    CHECK(result.code == 0);
    CHECK(result.output == "hello\n");
}

TEST_CASE("standard input is sent as it comes") {
    EchoServer server;
    auto client = Program::echo({"send", server.address()});
    for (const std::string words : {"a line\n", "half a line", " and its end\n"}) {
        client.write(words);
        CHECK(client.read(words.size()) == words);
    }
    const auto result = client.finish();
    CHECK(result.code == 0);
    CHECK(result.output.empty());
    CHECK(result.errors.empty());
}

TEST_CASE("standard input without a byte in it is sent, too") {
    EchoServer server;
    for (const char* script : {R"("$echo" send "$1" </dev/null)", R"(: | "$echo" send "$1")"}) {
        const auto result = Program::shell(script, {server.address()}).finish();
        CHECK(result.code == 0);
        CHECK(result.output.empty());
        CHECK(result.errors.empty());
    }
}

TEST_CASE("standard input that cannot be read is one sentence and exit code 1") {
    EchoServer server;
    for (const char* script : {R"("$echo" send "$1" </)", R"("$echo" send "$1" <&-)"}) {
        const auto result = Program::shell(script, {server.address()}).finish();
        CHECK(result.code == 1);
        CHECK(result.errors.starts_with("halyard-echo: cannot read standard input: "));
    }
}

TEST_CASE("a regular file is sent, though it cannot be watched") {
    const std::string text = Pattern().make(5'000'000);
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    REQUIRE(std::fwrite(text.data(), 1, text.size(), file) == text.size());
    std::rewind(file);
    EchoServer server;
    auto client = Program::echo({"send", server.address()}, ::fileno(file));
    std::fclose(file);
    const auto result = client.finish();
    CHECK(result.code == 0);
    CHECK(result.output == text);
    CHECK(result.errors.empty());
}

TEST_CASE("the shell gets its standard input back as it was") {
    EchoServer server;
    int ends[2] = {};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    PlainSocket input(ends[0]);
    PlainSocket output(ends[1]);
    REQUIRE(::write(output.descriptor(), "hello\n", 6) == 6);
    output.close();
    const auto result = Program::echo({"send", server.address()}, input.descriptor()).finish();
    CHECK(result.code == 0);
    CHECK(result.output == "hello\n");
    CHECK((::fcntl(input.descriptor(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("an echo that differs is one sentence and exit code 1") {
    const auto listener = PlainSocket::listening();
    struct Case {
        const char* answer;
        const char* output;
        const char* byte;
    };
    for (const Case& each : {Case{"heLlo\n", "he", "3"}, Case{"Hello\n", "", "1"}}) {
        auto client = Program::echo({"send", "--verify", addressOf(listener), "hello"});
        const auto server = listener.accept();
        CHECK(server.receive(6) == "hello\n");
        server.send(each.answer);
        const auto result = client.finish();
        CHECK(result.code == 1);
        CHECK(result.output == each.output);
        CHECK(result.errors ==
              "halyard-echo: the echo from " + addressOf(listener) + " differs from byte " + each.byte + " on\n");
    }
}

TEST_CASE("more than was sent is no echo") {
    const auto listener = PlainSocket::listening();
    auto client = Program::echo({"send", "--verify", addressOf(listener)});
    const auto server = listener.accept();
    client.write("abc");
    CHECK(server.receive(3) == "abc");
    server.send("abcd");
    const auto result = client.finish();
    CHECK(result.code == 1);
    CHECK(result.output == "abc");
    CHECK(result.errors.find("differs from byte 4 on") != std::string::npos);
}

TEST_CASE("a connection that ends early is one sentence and exit code 1") {
    const auto listener = PlainSocket::listening();
    SUBCASE("closed") {
        auto client = Program::echo({"send", "--verify", addressOf(listener), "hello"});
        auto server = listener.accept();
        CHECK(server.receive(6) == "hello\n");
        server.send("hel");
        server.close();
        const auto result = client.finish();
        CHECK(result.code == 1);
        CHECK(result.output == "hel");
        CHECK(result.errors ==
              "halyard-echo: " + addressOf(listener) + " closed the connection; 3 of 6 bytes came back\n");
    }
    SUBCASE("reset") {
        auto client = Program::echo({"send", "--verify", addressOf(listener), "hello"});
        auto server = listener.accept();
        CHECK(server.receive(6) == "hello\n");
        server.reset();
        const auto result = client.finish();
        CHECK(result.code == 1);
        CHECK(result.errors.find("Connection reset by peer; 0 of 6 bytes came back\n") != std::string::npos);
    }
    SUBCASE("closed while input is waited for") {
        auto client = Program::echo({"send", "--verify", addressOf(listener)});
        listener.accept().close();
        const auto result = client.read(1);
        CHECK(result.empty());
        CHECK(client.finish().code == 1);
    }
}

TEST_CASE("what is sent waits for its echo, and does not pile up") {
    const auto listener = PlainSocket::listening();
    auto client = Program::shell(R"(exec "$echo" send --verify "$1" </dev/zero >/dev/null)", {addressOf(listener)});
    const auto server = listener.accept();
    constexpr std::size_t window = 1024 * 1024;
    const std::string first = server.receive(window);
    CHECK(first.size() == window);
    // Nothing more until some of it has come back.
    pollfd look{server.descriptor(), POLLIN, 0};
    std::size_t beyond = 0;
    while (::poll(&look, 1, 200) > 0)
        beyond += server.receiveNow().size();
    CHECK(beyond < 64 * 1024);
    server.send(std::string_view(first).substr(0, window / 2));
    CHECK(::poll(&look, 1, static_cast<int>(patience().count())) > 0);

    client.signal(SIGTERM);
    const auto result = client.finish();
    CHECK(result.code == 1);
    CHECK(result.errors.starts_with("halyard-echo: interrupted; "));
}

TEST_CASE("without --verify the peer may answer what it likes, and its end is the end") {
    const auto listener = PlainSocket::listening();
    auto client = Program::echo({"send", addressOf(listener), "hello"});
    auto server = listener.accept();
    CHECK(server.receive() == "hello\n"); // and the end of it
    server.send("something else");
    server.close();
    const auto result = client.finish();
    CHECK(result.code == 0);
    CHECK(result.output == "something else");
    CHECK(result.errors.empty());
}

TEST_CASE("without --verify an end that comes before everything was sent is one sentence and exit code 1") {
    const auto listener = PlainSocket::listening();
    auto client = Program::shell(R"(exec "$echo" send "$1" </dev/zero)", {addressOf(listener)});
    auto server = listener.accept();
    CHECK(server.receive(1024).size() == 1024);
    SUBCASE("of its side alone") {
        server.shutdownWrite();
        const auto result = client.finish();
        CHECK(result.code == 1);
        CHECK(result.errors ==
              "halyard-echo: " + addressOf(listener) + " ended the connection before everything was sent\n");
    }
    SUBCASE("of both") {
        server.close();
        const auto result = client.finish();
        CHECK(result.code == 1);
        CHECK(result.errors.starts_with("halyard-echo: "));
    }
}

TEST_CASE("without --verify the peer's end is a good one where input is open and has nothing to send") {
    const auto listener = PlainSocket::listening();
    auto client = Program::echo({"send", addressOf(listener)});
    auto server = listener.accept();
    client.write("hello");
    CHECK(server.receive(5) == "hello");
    server.send("bye");
    server.close();
    CHECK(client.read(4) == "bye"); // and the end of it, though more might be written to it
    const auto result = client.finish();
    CHECK(result.code == 0);
    CHECK(result.errors.empty());
}

TEST_CASE("a peer that is silent too long is given up") {
    const auto listener = PlainSocket::listening();
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"send", "--timeout", "0.05", addressOf(listener), "hello"},
          {"send", addressOf(listener), "--timeout=0.05", "hello"}}) {
        const auto result = Program::echo(words).finish();
        CHECK(result.code == 1);
        CHECK(result.errors.starts_with("halyard-echo: "));
    }
}

TEST_CASE("names, IPv6 addresses and their zones are connected to, too") {
    auto server = Program::echo({"serve", "[::1]:0", "127.0.0.1:0"});
    const std::string line = server.readLine();
    const std::string six = line.substr(line.rfind(':'));
    const std::string other = server.readLine();
    const std::string four = other.substr(other.rfind(':'));
    for (const std::string& where : {"[::1]" + six, "[::1%lo]" + six, "localhost" + four}) {
        const auto result = Program::echo({"send", "--verify", where, "hello"}).finish();
        CHECK_MESSAGE(result.code == 0, result.errors);
        CHECK(result.output == "hello\n");
    }
}

TEST_CASE("by a proxy, which is told where the server is") {
    const PlainSocket proxy = PlainSocket::listening();
    auto client =
        Program::echo({"send", "--proxy", "http://user:secret@" + addressOf(proxy), "host.example:7", "hello"});
    {
        const PlainSocket connection = proxy.accept();
        std::string request;
        while (!request.ends_with("\r\n\r\n"))
            request += connection.receive(1);
        CHECK(request.starts_with("CONNECT host.example:7 HTTP/1.1\r\n"));
        connection.send("HTTP/1.1 200 OK\r\n\r\n");
        connection.send(connection.receive());
    }
    const auto result = client.finish();
    CHECK(result.code == 0);
    CHECK(result.output == "hello\n");
    for (const std::string url : {"gopher://user:secret@host", "user:secret@"}) {
        const auto wrong = Program::echo({"send", "--proxy", url, "7", "hello"}).finish();
        CHECK(wrong.code == 2);
        CHECK(wrong.errors.find("secret") == std::string::npos);
    }
}
