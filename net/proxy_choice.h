#pragma once

#include <halyard/net/network_proxy.h>

#include <optional>

namespace halyard {

/// Whether a proxy may stand between at all: `own` is the socket's or the server's.
bool mayBeProxied(NetworkProxy::Type own, bool toLoopback) noexcept;

/// By which way it goes: None is directly. Nothing where none of those that apply can do it.
std::optional<NetworkProxy> chooseProxy(const NetworkProxy& own, const ProxyQuery& query, bool toLoopback);

} // namespace halyard
