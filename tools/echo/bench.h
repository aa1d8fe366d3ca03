#pragma once

#include "peer_address.h"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace echo {

struct BenchOptions {
    PeerAddress peer;
    std::size_t connections = 10;
    std::size_t size = 64;           ///< of a message
    std::size_t depth = 1;           ///< messages that are on their way on a connection
    double rate = 0;                 ///< messages a second in all, whatever comes back; 0: as fast as they come back
    std::uint64_t perConnection = 0; ///< messages before a connection is made anew; 0: never
    std::chrono::milliseconds warmUp{1000};
    std::chrono::milliseconds duration{10'000};
    bool json = false;
};

/// Sends messages and measures how long their echoes take. Gives the exit code: a failure where any was lost, or none
/// came back.
int bench(const BenchOptions& options);

} // namespace echo
