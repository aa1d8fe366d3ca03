#include "serve_command.h"

#include "exit_code.h"
#include "number_in.h"
#include "seconds.h"
#include "serve.h"
#include "standard_streams.h"
#include "usage_error.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include <sys/resource.h>

namespace echo {

namespace {

using halyard::HostAddress;
using halyard::LogLevel;
using Kind = ListenAddress::Kind;

constexpr std::array formats{std::pair{"lines", LogFormat::Lines}, std::pair{"text", LogFormat::Text},
                             std::pair{"json", LogFormat::Json}, std::pair{"journald", LogFormat::Journald}};
constexpr std::array levels{std::pair{"debug", LogLevel::Debug}, std::pair{"info", LogLevel::Info},
                            std::pair{"warning", LogLevel::Warning}, std::pair{"error", LogLevel::Error}};

template <class Table>
std::vector<std::string> namesOf(const Table& table) {
    std::vector<std::string> names(table.size());
    std::transform(table.begin(), table.end(), names.begin(), [](const auto& each) { return each.first; });
    return names;
}

/// CLI11 has asked that it is one of them.
template <class Table>
auto valueIn(const Table& table, const std::string& name) {
    return std::find_if(table.begin(), table.end(), [&](const auto& each) { return name == each.first; })->second;
}

std::vector<ListenAddress> readListenAddresses(const std::vector<std::string>& texts) {
    std::vector<ListenAddress> all;
    for (const std::string& text : texts) {
        const auto address = parseListenAddress(text);
        if (!address)
            throw UsageError('\'' + text + "' is not an address to listen at, like 127.0.0.1:7007, [::1]:7007, " +
                             "unix:PATH, fd:3 or systemd");
        if (std::any_of(all.begin(), all.end(), [&](const ListenAddress& each) { return each.text == text; }))
            throw UsageError('\'' + text + "' is given twice");
        all.push_back(*address);
    }
    return all;
}

std::vector<std::pair<HostAddress, int>> readNetworks(const std::vector<std::string>& texts) {
    std::vector<std::pair<HostAddress, int>> all;
    for (const std::string& text : texts) {
        const auto network = HostAddress::parseSubnet(text);
        if (!network)
            throw UsageError('\'' + text + "' is not a network like 10.0.0.0/8, 192.0.2.1 or fd00::/8");
        all.push_back(*network);
    }
    return all;
}

/// So many that who asks for metrics finds a descriptor too, and the loops have theirs. 0 where the system sets no
/// limit.
std::size_t clientsByDescriptors(const ServeOptions& options) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    constexpr std::size_t program = 64;
    constexpr std::size_t loop = 16;
    const std::size_t own = program + static_cast<std::size_t>(options.threads) * (loop + options.listen.size());
    const auto all = static_cast<std::size_t>(limit.rlim_cur);
    return std::max({all - std::min(all, own), all / 4, std::size_t{1}});
}

} // namespace

ServeCommand::ServeCommand(CLI::App& app)
    : app_(*app.add_subcommand("serve", "Send back to every client what it sends")) {
    constexpr double longest = 1e6;
    const CLI::Validator seconds = numberIn(0.0, longest);
    const auto named = [](CLI::Option* option, const char* type, const char* variable) {
        option->type_name(type)->envname(variable);
    };
    named(
        app_.add_option("ADDRESS,--listen", listen_, "Where to listen, if not at 127.0.0.1:7007; several may be given"),
        "", "HALYARD_ECHO_LISTEN");
    named(app_.add_option("--threads", threads_, "Event loops, each on a thread; 0: one for each processor")
              ->check(CLI::Range(0, 1024)),
          "N", "HALYARD_ECHO_THREADS");
    named(app_.add_option("--max-clients", maxClients_,
                          "Clients at a time; the others wait; 0: as many as there are descriptors for"),
          "N", "HALYARD_ECHO_MAX_CLIENTS");
    named(app_.add_option("--max-clients-per-address", maxClientsPerAddress_,
                          "Clients at a time of an IPv4 address or an IPv6 /64; others of it are reset; 0: no limit"),
          "N", "HALYARD_ECHO_MAX_CLIENTS_PER_ADDRESS");
    named(app_.add_option("--max-queued", maxQueued_,
                          "From so many bytes on that wait to be sent back a client is not read from")
              ->transform(CLI::AsSizeValue(false)),
          "BYTES", "HALYARD_ECHO_MAX_QUEUED");
    named(app_.add_option("--idle-timeout", idleTimeout_, "A client that is silent so long is let go; 0: never")
              ->check(seconds),
          "SECONDS", "HALYARD_ECHO_IDLE_TIMEOUT");
    named(app_.add_option("--write-timeout", writeTimeout_, "So is one that takes nothing so long")->check(seconds),
          "SECONDS", "HALYARD_ECHO_WRITE_TIMEOUT");
    named(app_.add_option("--proxy-protocol", trusted_,
                          "Balancers, as ADDRESS or ADDRESS/LENGTH: they alone may connect, and must say by a PROXY "
                          "protocol header who the client is"),
          "NETWORK", "HALYARD_ECHO_PROXY_PROTOCOL");
    named(app_.add_option("--header-timeout", headerTimeout_, "Within this time, if not 5, the header must come")
              ->check(numberIn(0.001, longest)),
          "SECONDS", "HALYARD_ECHO_HEADER_TIMEOUT");
    named(
        app_.add_option("--drain", drain_, "On SIGTERM let clients finish for so long; 0: end at once")->check(seconds),
        "SECONDS", "HALYARD_ECHO_DRAIN");
    named(app_.add_option("--drain-delay", drainDelay_,
                          "Before that be not /ready for so long, and accept still: balancers have to notice")
              ->check(seconds),
          "SECONDS", "HALYARD_ECHO_DRAIN_DELAY");
    named(app_.add_option("--metrics", metrics_, "Where to answer GET /metrics (Prometheus) and GET /ready"),
          "ADDRESS:PORT", "HALYARD_ECHO_METRICS");
    named(app_.add_option("--log", logFormat_, "lines on standard output; text, json or journald on standard error")
              ->check(CLI::IsMember(namesOf(formats))),
          "FORMAT", "HALYARD_ECHO_LOG");
    named(app_.add_option("--log-level", logLevel_, "debug (each client too), info, warning or error")
              ->check(CLI::IsMember(namesOf(levels))),
          "LEVEL", "HALYARD_ECHO_LOG_LEVEL");
    app_.add_flag("--blocking", blocking_, "One client after the other, without an event loop");
    app_.add_flag("--check", check_, "Only say whether all this is valid")->configurable(false);
}

ServeOptions ServeCommand::options() const {
    ServeOptions options;
    options.listen = readListenAddresses(listen_.empty() ? std::vector<std::string>{"127.0.0.1:7007"} : listen_);
    options.trusted = readNetworks(trusted_);
    if (!metrics_.empty()) {
        options.metrics = parseEndpointOrPort(metrics_);
        if (!options.metrics)
            throw UsageError('\'' + metrics_ + "' is not an ADDRESS:PORT for --metrics, like 127.0.0.1:9107");
    }
    options.threads = threads_ != 0 ? threads_ : static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
    options.maxClients = maxClients_ != 0 ? maxClients_ : clientsByDescriptors(options);
    options.maxClientsPerAddress = maxClientsPerAddress_;
    options.maxQueued = std::max<std::size_t>(maxQueued_, 1);
    options.idleTimeout = milliseconds(idleTimeout_);
    options.writeTimeout = milliseconds(writeTimeout_);
    options.headerTimeout = milliseconds(headerTimeout_);
    options.drain = milliseconds(drain_);
    options.drainDelay = milliseconds(drainDelay_);
    options.logFormat = valueIn(formats, logFormat_);
    options.logLevel = valueIn(levels, logLevel_);
    options.blocking = blocking_;
    if (drainDelay_ > 0 && drain_ <= 0)
        throw UsageError("--drain-delay needs --drain: without it the server ends at once");
    const bool isSimple = options.listen.size() == 1 && options.listen.front().kind == Kind::Tcp && threads_ == 1 &&
                          trusted_.empty() && metrics_.empty() && maxClients_ == 0 && maxClientsPerAddress_ == 0 &&
                          drain_ <= 0 && idleTimeout_ <= 0 && writeTimeout_ <= 0;
    if (blocking_ && !isSimple)
        throw UsageError("--blocking serves one client at a time at one ADDRESS:PORT, and knows no other option than "
                         "--max-queued and those of the log");
    return options;
}

int ServeCommand::run(const std::vector<std::string>& words) const {
    ServeOptions its = options();
    its.command = words;
    if (check_) {
        std::string where;
        for (const ListenAddress& each : its.listen)
            where += ' ' + each.text;
        writeOut("valid: serve" + where + '\n');
        return Success;
    }
    return its.blocking ? serveOneByOne(its) : serve(its);
}

} // namespace echo
