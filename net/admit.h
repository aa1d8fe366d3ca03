#pragma once

#include "reset_connection.h"
#include "unclaimed_descriptor.h"

#include <halyard/net/connection_limits.h>

namespace halyard {

/// Whether the peer of a new connection may have it; else it is reset, and its place is somebody else's. Where there is
/// no memory to count it, it is closed.
inline bool admit(int descriptor, const HostAddress& peer, ConnectionPermit& permit) {
    UnclaimedDescriptor unclaimed(descriptor);
    const bool isAdmitted = permit.countFor(peer);
    unclaimed.claimed();
    if (isAdmitted)
        return true;
    permit.giveBack();
    resetConnection(descriptor);
    return false;
}

} // namespace halyard
