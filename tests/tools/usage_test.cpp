#include "program.h"
#include <plain_socket.h>

#include <halyard/version.h>

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace halyard::test;

namespace {

bool isOneSentence(const std::string& errors) {
    return errors.starts_with("halyard-echo: ") && std::count(errors.begin(), errors.end(), '\n') == 1 &&
           errors.ends_with('\n');
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& each : words)
        text += each + ' ';
    return text;
}

} // namespace

TEST_CASE("--help tells of the commands and of the exit codes") {
    const auto result = Program::echo({"--help"}).finish();
    CHECK(result.code == 0);
    CHECK(result.errors.empty());
    for (const char* part : {"serve", "send", "bench", "Exit codes:", "SIGTERM", "SIGPIPE"})
        CHECK_MESSAGE(contains(result.output, part), part);
}

TEST_CASE("each command has its --help") {
    const auto serve = Program::echo({"serve", "--help"}).finish();
    CHECK(serve.code == 0);
    CHECK(contains(serve.output, "--blocking"));
    CHECK(contains(serve.output, "127.0.0.1:7007"));
    const auto send = Program::echo({"send", "--help"}).finish();
    CHECK(send.code == 0);
    CHECK(contains(send.output, "TEXT"));
    const auto bench = Program::echo({"bench", "--help"}).finish();
    CHECK(bench.code == 0);
    CHECK(contains(bench.output, "--rate"));
}

TEST_CASE("--version is the library's") {
    const auto result = Program::echo({"--version"}).finish();
    CHECK(result.code == 0);
    CHECK(result.output == std::string("halyard-echo ") + halyard::version() + '\n');
}

TEST_CASE("wrong usage is one sentence and exit code 2") {
    const std::vector<std::vector<std::string>> wrong{
        {},
        {"dance"},
        {"--nonsense"},
        {"serve", "--nonsense"},
        {"serve", "127.0.0.1:0", "127.0.0.1:0"},
        {"serve", "1.2.3.4.5:80"},
        {"serve", "127.0.0.1:65536"},
        {"serve", "localhost:80"},
        {"serve", "::1:80"},
        {"serve", ""},
        {"send"},
        {"send", "nowhere"},
        {"send", "127.0.0.1:1", "--nonsense"},
        {"send", "--", "127.0.0.1:1", "text"},
        {"serve", "send"},
    };
    for (const auto& words : wrong) {
        CAPTURE(joined(words));
        const auto result = Program::echo(words).finish();
        CHECK(result.code == 2);
        CHECK(result.output.empty());
        CHECK_MESSAGE(isOneSentence(result.errors), result.errors);
    }
}

TEST_CASE("what is wrong with a command line is said in words that help") {
    struct Case {
        std::vector<std::string> words;
        std::string sentence;
    };
    const std::vector<Case> cases{
        {{"serve", "nowhere"},
         "'nowhere' is not an address to listen at, like 127.0.0.1:7007, [::1]:7007, unix:PATH, fd:3 or systemd"},
        {{"serve", "7007", "7007"}, "'7007' is given twice"},
        {{"serve", "--threads", "many"}, "--threads: Value many not in range 0 to 1024"},
        {{"serve", "--idle-timeout", "nan"}, "--idle-timeout: Value nan is no number"},
        {{"serve", "--threads", "-1"}, "--threads: Value -1 not in range 0 to 1024"},
        {{"serve", "--proxy-protocol", "10.0.0.0/33"},
         "'10.0.0.0/33' is not a network like 10.0.0.0/8, 192.0.2.1 or fd00::/8"},
        {{"serve", "--metrics", "nowhere"}, "'nowhere' is not an ADDRESS:PORT for --metrics, like 127.0.0.1:9107"},
        {{"serve", "--drain-delay", "3"}, "--drain-delay needs --drain: without it the server ends at once"},
        {{"serve", "--log", "xml"}, "--log: xml not in {lines,text,json,journald}"},
        {{"serve", "--blocking", "--threads", "2"},
         "--blocking serves one client at a time at one ADDRESS:PORT, and knows no other option than --max-queued and "
         "those of the log"},
        {{"serve", "--config", "/nowhere/at/all"}, "/nowhere/at/all was not readable (missing?)"},
        {{"send", "nowhere"},
         "'nowhere' is nobody to connect to, like 127.0.0.1:7007, [::1]:7007, example.org:7007 or unix:PATH"},
        {{"send", "*:7007"},
         "'*:7007' is nobody to connect to, like 127.0.0.1:7007, [::1]:7007, example.org:7007 or unix:PATH"},
        {{"bench", "7007", "--connections", "0"}, "--connections: Value 0 not in range 1 to 100000"},
        {{"bench", "7007", "--rate", "1", "--depth", "2"}, "--depth excludes --rate"},
        {{"bench"}, "ADDRESS is required"},
    };
    for (const Case& each : cases) {
        CAPTURE(joined(each.words));
        const auto result = Program::echo(each.words).finish();
        CHECK(result.code == 2);
        CHECK(result.output.empty());
        CHECK(result.errors == "halyard-echo: " + each.sentence + " (--help says more)\n");
    }
}

TEST_CASE("a port in use is one sentence and exit code 1") {
    const auto taken = PlainSocket::listening();
    const std::string where = "127.0.0.1:" + std::to_string(taken.port());
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"serve", where}, {"serve", where, "--blocking"}}) {
        const auto result = Program::echo(words).finish();
        CHECK(result.code == 1);
        CHECK(result.output.empty());
        CHECK(result.errors == "halyard-echo: cannot listen at " + where + ": Address already in use\n");
    }
}

TEST_CASE("an address of another host is one sentence and exit code 1") {
    const auto result = Program::echo({"serve", "192.0.2.1:0"}).finish();
    CHECK(result.code == 1);
    CHECK_MESSAGE(isOneSentence(result.errors), result.errors);
    CHECK(contains(result.errors, "192.0.2.1:0"));
}

TEST_CASE("a refused connection is one sentence and exit code 1") {
    // Bound, and so nobody else's; but it does not listen.
    const PlainSocket closed(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in name = PlainSocket::loopback(0);
    REQUIRE(::bind(closed.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    const std::string where = "127.0.0.1:" + std::to_string(closed.port());

    const auto result = Program::echo({"send", where, "hello"}).finish();
    CHECK(result.code == 1);
    CHECK(result.output.empty());
    CHECK(result.errors == "halyard-echo: cannot connect to " + where + ": Connection refused\n");
}

TEST_CASE("standard output that cannot be written is one sentence and exit code 1") {
    for (const char* script : {R"("$echo" serve 0 >/dev/full)", R"("$echo" serve 0 --blocking >/dev/full)",
                               R"("$echo" serve 0 >&-)", R"("$echo" serve 0 >&- <&-)"}) {
        CAPTURE(script);
        const auto result = Program::shell(script).finish();
        CHECK(result.code == 1);
        CHECK(contains(result.errors, "cannot write to standard output"));
        CHECK_MESSAGE(isOneSentence(result.errors), result.errors);
    }
}
