#pragma once

#include <halyard/net/network_proxy.h>

namespace halyard {

/// Whether there is a proxy between: `own` is the socket's or the server's.
bool isProxied(NetworkProxy::Type own, bool toLoopback) noexcept;

} // namespace halyard
