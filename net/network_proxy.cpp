#include <halyard/net/network_proxy.h>

#include "proxy_choice.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace halyard {

namespace {

/// What Default means.
struct Application {
    std::mutex mutex;
    NetworkProxy proxy{NetworkProxy::None, {}, 0, {}, {}};
    std::shared_ptr<const ProxySelector> selector; ///< null where there is none
};

Application& application() {
    static auto& all = *new Application; // for connections that begin while the program ends
    return all;
}

/// Whether it may mean anything but directly, without a lock: every connection asks.
std::atomic<bool> hasApplicationProxy = false;

bool canDo(NetworkProxy::Type type, ProxyQuery::Kind kind) noexcept {
    return type != NetworkProxy::Http || kind == ProxyQuery::Kind::Connect;
}

NetworkProxy directly() { return {NetworkProxy::None, {}, 0, {}, {}}; }

} // namespace

void NetworkProxy::setApplicationProxy(const NetworkProxy& proxy) {
    Application& all = application();
    std::shared_ptr<const ProxySelector> before; // dies after the lock
    const std::lock_guard lock(all.mutex);
    before.swap(all.selector);
    all.proxy = proxy;
    hasApplicationProxy = proxy.type == Socks5 || proxy.type == Http;
}

NetworkProxy NetworkProxy::applicationProxy() {
    const std::lock_guard lock(application().mutex);
    return application().proxy;
}

void NetworkProxy::setApplicationSelector(ProxySelector selector) {
    Application& all = application();
    auto next = selector ? std::make_shared<const ProxySelector>(std::move(selector)) : nullptr;
    const std::lock_guard lock(all.mutex);
    next.swap(all.selector);
    all.proxy = directly();
    hasApplicationProxy = all.selector != nullptr;
}

bool mayBeProxied(NetworkProxy::Type own, bool toLoopback) noexcept {
    if (own != NetworkProxy::Default)
        return own != NetworkProxy::None;
    return !toLoopback && hasApplicationProxy.load();
}

std::optional<NetworkProxy> chooseProxy(const NetworkProxy& own, const ProxyQuery& query, bool toLoopback) {
    if (!mayBeProxied(own.type, toLoopback))
        return directly();
    std::vector<NetworkProxy> proxies{own};
    if (own.type == NetworkProxy::Default) {
        std::shared_ptr<const ProxySelector> selector;
        {
            const std::lock_guard lock(application().mutex);
            selector = application().selector;
            proxies.front() = application().proxy;
        }
        if (selector != nullptr)
            proxies = (*selector)(query);
    }
    if (proxies.empty())
        return directly();
    for (NetworkProxy& each : proxies) {
        if (!canDo(each.type, query.kind))
            continue;
        return each.type == NetworkProxy::Default ? directly() : std::move(each);
    }
    return std::nullopt;
}

} // namespace halyard
