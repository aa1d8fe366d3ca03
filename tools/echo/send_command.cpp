#include "send_command.h"

#include "number_in.h"
#include "seconds.h"
#include "send.h"
#include "usage_error.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <set>

namespace echo {

namespace {

using Words = std::vector<std::string>;

/// The place of the first word from `next` on that is neither an option nor an option's value.
std::size_t skipOptions(const Words& words, std::size_t next) {
    static const std::set<std::string> withValue{"--timeout", "--proxy", "--config"};
    while (next < words.size() && words[next].starts_with('-') && words[next] != "-" && words[next] != "--")
        next += withValue.contains(words[next]) ? 2 : 1;
    return next;
}

std::optional<std::string> cutText(Words& words) {
    if (words.empty() || words.front() != "send")
        return std::nullopt;
    const std::size_t address = skipOptions(words, 1);
    if (address >= words.size() || words[address] == "--")
        return std::nullopt;
    const std::size_t end = skipOptions(words, address + 1);
    if (end >= words.size())
        return std::nullopt;
    std::optional<std::string> text;
    for (std::size_t next = words[end] == "--" ? end + 1 : end; next != words.size(); ++next)
        text = text ? *text + ' ' + words[next] : words[next];
    words.resize(end);
    if (text)
        text->push_back('\n');
    return text;
}

} // namespace

SendCommand::SendCommand(CLI::App& app, Words& words)
    : app_(*app.add_subcommand("send", "Send something, and print what comes back until the peer ends")),
      text_(cutText(words)) {
    app_.add_option("ADDRESS", peer_, "Whom to connect to: ADDRESS:PORT, NAME:PORT or unix:PATH")
        ->required()
        ->type_name("");
    // For --help alone: CLI11 would take "[a,b]" for two words.
    app_.add_option("TEXT", noText_, "What to send, and a newline; without it, standard input")
        ->type_name("")
        ->configurable(false);
    app_.add_flag("--verify", verify_, "Fail unless exactly that comes back, and end when it has");
    app_.add_option("--timeout", timeout_, "Give up on a peer that is silent so long; 0: never")
        ->check(numberIn(0.0, 1e6))
        ->type_name("SECONDS");
    app_.add_option("--proxy", proxy_, "Go by a proxy: socks5://[USER:PASSWORD@]HOST:PORT or http://...")
        ->type_name("URL");
}

bool SendCommand::isWanted() const { return app_.parsed(); }

int SendCommand::run() const {
    if (!noText_.empty())
        throw UsageError("TEXT is expected right after ADDRESS and the options");
    auto peer = parsePeerAddress(peer_);
    if (!peer)
        throw UsageError('\'' + peer_ + "' is nobody to connect to, like 127.0.0.1:7007, [::1]:7007, " +
                         "example.org:7007 or unix:PATH");
    if (!proxy_.empty()) {
        peer->proxy = halyard::NetworkProxy::parse(proxy_);
        if (!peer->proxy || !peer->path.empty()) // told without what was given: a password may be in it
            throw UsageError("--proxy wants a URL like socks5://127.0.0.1:1080, and is for TCP alone");
    }
    return send({*peer, text_, verify_, milliseconds(timeout_)});
}

} // namespace echo
