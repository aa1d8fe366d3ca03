#pragma once

#include <halyard/net/endpoint.h>

namespace echo {

enum class Serving {
    EventDriven, ///< all clients at once, on the event loop
    Blocking,    ///< one client after the other, on waits alone
};

/// Echoes to whoever connects, until SIGINT or SIGTERM. Gives the exit code.
int serve(const halyard::Endpoint& where, Serving how);

} // namespace echo
