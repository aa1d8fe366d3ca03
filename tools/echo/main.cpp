#include "exit_code.h"
#include "send.h"
#include "serve.h"
#include "standard_streams.h"

#include <halyard/core/log.h>
#include <halyard/net/endpoint.h>
#include <halyard/version.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace echo;
using Words = std::vector<std::string>;

constexpr const char* footer = R"(
ADDRESS is an IPv4 address, an IPv6 address in brackets, or * for every address of this host. A PORT without an
address is one of 127.0.0.1; port 0 is any free one. The server's first line, "listening on ADDRESS:PORT", tells
which; a line for each client that comes or goes follows.

SIGINT and SIGTERM end the server, which is its only end and a good one. Who closes this program's standard output
early, as in `halyard-echo serve | head -n 1`, ends it by SIGPIPE with the next line.

Exit codes:
  0  all went well: what was sent came back, or the server was told to end
  1  the network, a standard stream or the echo failed; one sentence on standard error says how
  2  wrong usage)";

/// Cuts the text off "send ADDRESS:PORT [TEXT...]" and gives it, or nothing where there is none. It begins
/// with the first word that looks like no option, or after "--", and from there on every word is text.
std::optional<std::string> cutText(Words& words) {
    constexpr std::size_t afterAddress = 2;
    if (words.size() <= afterAddress || words.front() != "send" || words[1].starts_with('-'))
        return std::nullopt;
    std::size_t next = afterAddress;
    if (words[next] == "--")
        ++next;
    else if (words[next].starts_with('-') && words[next] != "-")
        return std::nullopt;

    std::optional<std::string> text;
    for (; next != words.size(); ++next)
        text = text ? *text + ' ' + words[next] : words[next];
    words.resize(afterAddress);
    if (text)
        text->push_back('\n');
    return text;
}

std::optional<halyard::Endpoint> readEndpoint(const std::string& text) {
    if (const auto endpoint = halyard::parseEndpoint(text))
        return endpoint;
    return halyard::parseEndpoint("127.0.0.1:" + text);
}

int wrongUsage(const std::string& sentence) {
    complain(sentence + " (--help says more)");
    return WrongUsage;
}

int run(Words words) {
    CLI::App app("An echo server and the client that tests one.", "halyard-echo");
    app.set_version_flag("--version", std::string("halyard-echo ") + halyard::version(), "Print the version and exit");
    app.footer(footer);
    app.require_subcommand(1);

    std::string where = "127.0.0.1:7007";
    bool blocking = false;
    CLI::App& serving = *app.add_subcommand("serve", "Send back to every client what it sends");
    serving.add_option("ADDRESS:PORT", where, "Where to listen, if not at 127.0.0.1:7007")->type_name("");
    serving.add_flag("--blocking", blocking, "One client after the other, without an event loop");

    CLI::App& sending = *app.add_subcommand("send", "Send something, print what comes back, and compare");
    sending.add_option("ADDRESS:PORT", where, "Where the server listens")->required()->type_name("");
    // For --help alone: CLI11 would take "[a,b]" for two words.
    Words noText;
    sending.add_option("TEXT", noText, "What to send, and a newline; without it, standard input")->type_name("");

    const std::optional<std::string> text = cutText(words);
    try {
        std::reverse(words.begin(), words.end()); // as CLI11 wants them
        app.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
        return error.get_exit_code() == 0 ? app.exit(error) : wrongUsage(error.what());
    }

    if (!noText.empty())
        return wrongUsage("TEXT is expected right after ADDRESS:PORT");
    const auto endpoint = readEndpoint(where);
    if (!endpoint)
        return wrongUsage('\'' + where + "' is not an ADDRESS:PORT like 127.0.0.1:7007 or [::1]:7007");
    if (sending.parsed())
        return send(*endpoint, text);
    return serve(*endpoint, blocking ? Serving::Blocking : Serving::EventDriven);
}

} // namespace

int main(int argc, char** argv) {
    try {
        openMissingStreams();
        halyard::setLogLevel(halyard::LogLevel::Error); // of warnings this program tells itself
        return run(Words(argv + std::min(argc, 1), argv + argc));
    } catch (const std::exception& error) {
        complain(error.what());
        return Failure;
    }
}
