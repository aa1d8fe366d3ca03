#pragma once

#include "serve_options.h"

namespace echo {

/// Echoes to whoever connects, all clients at once, until SIGINT or SIGTERM. Gives the exit code.
int serve(const ServeOptions& options);

/// One client after the other, on waits alone, without an event loop. Of the options it knows the first address, the
/// log and maxQueued.
int serveOneByOne(const ServeOptions& options);

} // namespace echo
