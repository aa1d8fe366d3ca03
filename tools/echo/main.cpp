#include "bench_command.h"
#include "exit_code.h"
#include "send_command.h"
#include "serve_command.h"
#include "standard_streams.h"
#include "usage_error.h"

#include <halyard/core/log.h>
#include <halyard/version.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace echo;
using Words = std::vector<std::string>;

constexpr const char* footer = R"(
An address is ADDRESS:PORT: an IPv4 address, an IPv6 address in brackets, or * for every address of this host. A PORT
without an address is one of 127.0.0.1; port 0 is any free one. unix:PATH is a Unix-domain socket, unix:@NAME an
abstract one. The server listens at fd:N (a listening socket that it was started with) and systemd (what its socket
unit has opened), too. Its first line, "listening on ADDRESS:PORT", tells where; a line for each client that comes or
goes follows.

SIGINT and SIGTERM end the server, which is its only end and a good one; with --drain the clients finish first, and a
second signal ends it at once. SIGUSR2, and SIGHUP where standard input is no terminal, start this program anew with
the same arguments and the same sockets: when that serves, the old one drains and ends. Who closes this program's
standard output early, as in `halyard-echo serve | head -n 1`, ends it by SIGPIPE with the next line.

Options may stand in a configuration file (--config FILE) or in the environment too; the command line comes first,
then the environment, then the file.

SIGINT and SIGTERM end a bench too: it tells what was measured so far.

Exit codes:
  0  all went well: everything was sent (--verify, bench: and came back), or the server was told to end
  1  the network, a standard stream or the echo failed; one sentence on standard error says how
  2  wrong usage)";

int wrongUsage(const std::string& sentence) {
    complain(sentence + " (--help says more)");
    return WrongUsage;
}

/// `given` begins with the program's own name.
int run(const Words& given) {
    // cppcheck-suppress containerOutOfBounds ; nothing is added where it is empty
    Words words(given.begin() + (given.empty() ? 0 : 1), given.end());
    CLI::App app("An echo server and the client that tests one.", "halyard-echo");
    app.set_version_flag("--version", std::string("halyard-echo ") + halyard::version(), "Print the version and exit");
    app.footer(footer);
    app.require_subcommand(1);
    app.fallthrough(); // --config may stand after the command

    app.set_config("--config", "", "A file with options: key=value, under [serve], [send] or [bench]");
    app.allow_config_extras(CLI::config_extras_mode::error);
    const ServeCommand serving(app);

    const SendCommand sending(app, words);
    const BenchCommand measuring(app);

    try {
        std::reverse(words.begin(), words.end()); // as CLI11 wants them
        app.parse(std::move(words));
    } catch (const CLI::ConfigError& error) {
        return wrongUsage(std::string("the configuration file has what is no option: ") + error.what());
    } catch (const CLI::ParseError& error) {
        return error.get_exit_code() == 0 ? app.exit(error) : wrongUsage(error.what());
    }

    if (sending.isWanted())
        return sending.run();
    return measuring.isWanted() ? measuring.run() : serving.run(given);
}

} // namespace

int main(int argc, char** argv) {
    try {
        openMissingStreams();
        halyard::setLogLevel(halyard::LogLevel::Error); // of warnings this program tells itself
        return run(Words(argv, argv + argc));
    } catch (const UsageError& error) {
        return wrongUsage(error.what());
    } catch (const std::exception& error) {
        complain(error.what());
        return Failure;
    }
}
