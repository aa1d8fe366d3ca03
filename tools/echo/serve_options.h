#pragma once

#include "listen_address.h"

#include <halyard/core/log.h>
#include <halyard/net/endpoint.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace echo {

enum class LogFormat : std::uint8_t {
    Lines,    ///< on standard output, for people and scripts
    Text,     ///< on standard error, with time and level
    Json,     ///< the same, an object a line
    Journald, ///< on standard error, with the level as sd-daemon(3) has it
};

/// What the server is to do: command line, environment and configuration file in one.
struct ServeOptions {
    std::vector<ListenAddress> listen;
    int threads = 1;
    std::size_t maxClients = 0; ///< 0: no limit
    std::size_t maxClientsPerAddress = 0;
    std::size_t maxQueued = 1024 * 1024;
    std::chrono::milliseconds idleTimeout{0}; ///< 0: none
    std::chrono::milliseconds writeTimeout{0};
    std::chrono::milliseconds headerTimeout{5000};
    std::chrono::milliseconds drain{0};
    std::chrono::milliseconds drainDelay{0};
    std::vector<std::pair<halyard::HostAddress, int>> trusted; ///< networks of balancers
    std::optional<halyard::Endpoint> metrics;
    LogFormat logFormat = LogFormat::Lines;
    halyard::LogLevel logLevel = halyard::LogLevel::Debug;
    bool blocking = false;
    std::vector<std::string> command; ///< with which this program was started
};

} // namespace echo
