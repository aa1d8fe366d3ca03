#pragma once

#include "peer_address.h"

#include <chrono>
#include <optional>
#include <string>

namespace echo {

struct SendOptions {
    PeerAddress peer;
    std::optional<std::string> text; ///< without it, standard input
    bool verify = false;             ///< that what comes back is what was sent
    std::chrono::milliseconds timeout{0};
};

/// Sends the text, or all of standard input, ends its side then, and writes what comes back to standard output until
/// the peer ends. Gives the exit code.
int send(const SendOptions& options);

} // namespace echo
