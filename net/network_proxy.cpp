#include <halyard/net/network_proxy.h>

#include "proxy_choice.h"

#include <atomic>
#include <mutex>

namespace halyard {

namespace {

std::mutex mutex;

NetworkProxy& application() {
    static NetworkProxy proxy{NetworkProxy::None, {}, 0, {}, {}};
    return proxy;
}

/// The same without a lock: every connection asks.
std::atomic<NetworkProxy::Type> applicationType = NetworkProxy::None;

} // namespace

void NetworkProxy::setApplicationProxy(const NetworkProxy& proxy) {
    const std::lock_guard lock(mutex);
    application() = proxy;
    applicationType = proxy.type;
}

NetworkProxy NetworkProxy::applicationProxy() {
    const std::lock_guard lock(mutex);
    return application();
}

bool isProxied(NetworkProxy::Type own, bool toLoopback) noexcept {
    const NetworkProxy::Type fallback = toLoopback ? NetworkProxy::None : applicationType.load();
    const NetworkProxy::Type type = own != NetworkProxy::Default ? own : fallback;
    return type == NetworkProxy::Socks5 || type == NetworkProxy::Http;
}

} // namespace halyard
