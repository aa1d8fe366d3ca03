#include "bench_command.h"

#include "bench.h"
#include "number_in.h"
#include "seconds.h"
#include "usage_error.h"

#include <CLI/CLI.hpp>

#include <chrono>

namespace echo {

BenchCommand::BenchCommand(CLI::App& app) : app_(*app.add_subcommand("bench", "Measure how long echoes take")) {
    app_.add_option("ADDRESS", peer_, "Whom to connect to: ADDRESS:PORT, NAME:PORT or unix:PATH")
        ->required()
        ->type_name("");
    app_.add_option("--connections", connections_, "Connections at a time, if not 10")
        ->check(CLI::Range(1, 100'000))
        ->type_name("N");
    app_.add_option("--size", size_, "Bytes of a message, if not 64")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::Range(1, 1 << 30))
        ->type_name("BYTES");
    CLI::Option* const depth =
        app_.add_option("--depth", depth_, "Messages that are on their way on each connection, if not 1")
            ->check(CLI::Range(1, 100'000))
            ->type_name("N");
    app_.add_option("--rate", rate_,
                    "Messages a second in all, sent whatever comes back; times count from when they should have left. "
                    "Without it each echo is answered by the next message")
        ->check(numberIn(0.001, 1e7))
        ->excludes(depth)
        ->type_name("N");
    app_.add_option("--per-connection", perConnection_, "After so many messages a connection is made anew; 0: never")
        ->type_name("N");
    app_.add_option("--warm-up", warmUp_, "How long is not measured at first, if not 1")
        ->check(numberIn(0.0, 1e6))
        ->type_name("SECONDS");
    app_.add_option("--duration", duration_, "How long is measured then, if not 10")
        ->check(numberIn(0.001, 1e6))
        ->type_name("SECONDS");
    app_.add_flag("--json", json_, "Results as JSON");
}

bool BenchCommand::isWanted() const { return app_.parsed(); }

int BenchCommand::run() const {
    const auto peer = parsePeerAddress(peer_);
    if (!peer)
        throw UsageError('\'' + peer_ + "' is nobody to connect to, like 127.0.0.1:7007 or unix:PATH");
    return bench({*peer, connections_, size_, depth_, rate_, perConnection_, milliseconds(warmUp_),
                  milliseconds(duration_), json_});
}

} // namespace echo
