// NetworkProxy as a URL, and what the environment says in such URLs.
#include "host_name.h"
#include "words.h"

#include <halyard/core/log.h>
#include <halyard/net/host_address.h>
#include <halyard/net/network_proxy.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace halyard {

namespace {

constexpr std::uint16_t usualSocksPort = 1080; // RFC 1928 section 3
constexpr std::uint16_t usualHttpPort = 3128;

/// RFC 3986 section 2.1.
std::optional<std::string> decoded(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i != text.size(); ++i) {
        if (text[i] != '%') {
            plain.push_back(text[i]);
            continue;
        }
        const auto byte = text.size() - i > 2 ? parseNumber<std::uint8_t>(text.substr(i + 1, 2), 16) : std::nullopt;
        if (!byte)
            return std::nullopt;
        plain.push_back(static_cast<char>(*byte));
        i += 2;
    }
    return plain;
}

struct HostAndPort {
    std::string_view host; ///< without brackets
    std::optional<std::uint16_t> port;
};

/// "host", "host:port", "[::1]:port"; an IPv6 address alone may stand without brackets.
std::optional<HostAndPort> split(std::string_view text) {
    std::string_view rest;
    HostAndPort both;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos || !HostAddress::parse(text.substr(1, end - 1)))
            return std::nullopt;
        both.host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
    } else if (HostAddress::parse(text)) {
        both.host = text;
    } else {
        both.host = text.substr(0, text.find(':'));
        rest = text.substr(both.host.size());
    }
    if (rest.empty())
        return both;
    if (!rest.starts_with(':') || !(both.port = parseNumber<std::uint16_t>(rest.substr(1))))
        return std::nullopt;
    return both;
}

/// An entry of NO_PROXY.
class Exception {
  public:
    /// Nothing for what is none.
    static std::optional<Exception> parse(std::string_view text) {
        Exception exception;
        if (text.find('/') != std::string_view::npos) {
            exception.subnet_ = HostAddress::parseSubnet(text);
            return exception.subnet_ ? std::optional(exception) : std::nullopt;
        }
        const auto both = split(text);
        if (!both || both->host.empty())
            return std::nullopt;
        exception.port_ = both->port;
        exception.subnet_ = HostAddress::parseSubnet(both->host);
        exception.name_ = both->host;
        for (const std::string_view any : {"*.", "."}) // "*.example.org" is meant as ".example.org"
            if (exception.name_.starts_with(any))
                exception.name_.erase(0, any.size());
        return exception;
    }

    bool covers(const ProxyQuery& query) const {
        if (port_ && *port_ != query.port)
            return false;
        if (name_ == "*")
            return true;
        const auto address = HostAddress::parse(query.host);
        if (address && subnet_) {
            const auto number = address->toIPv4(); // a mapped address is the one inside
            const bool isFour = subnet_->first.protocol() == HostAddress::Protocol::IPv4;
            return (isFour && number ? HostAddress(*number) : *address).isInSubnet(subnet_->first, subnet_->second);
        }
        return !address && !subnet_ && isWithin(query.host);
    }

  private:
    bool isWithin(std::string_view host) const {
        if (host.ends_with('.'))
            host.remove_suffix(1);
        if (host.size() < name_.size())
            return false;
        const std::size_t rest = host.size() - name_.size();
        return isSame(host.substr(rest), name_) && (rest == 0 || host[rest - 1] == '.');
    }

    std::string name_;
    std::optional<std::pair<HostAddress, int>> subnet_;
    std::optional<std::uint16_t> port_;
};

std::vector<Exception> exceptionsIn(std::string_view list) {
    constexpr std::string_view separators = ", \t";
    std::vector<Exception> all;
    while (!list.empty()) {
        const std::string_view entry = list.substr(0, list.find_first_of(separators));
        if (auto exception = Exception::parse(entry))
            all.push_back(std::move(*exception));
        list.remove_prefix(std::min(entry.size() + 1, list.size()));
    }
    return all;
}

/// The variable in lower case, or else in upper case; empty where it is not set.
std::string_view variable(const char* lower, const char* upper) {
    for (const char* const name : {lower, upper})
        // NOLINTNEXTLINE(concurrency-mt-unsafe): the header asks for an environment that nobody changes meanwhile
        if (const char* const value = std::getenv(name); value != nullptr && *value != '\0')
            return value;
    return {};
}

void addProxy(std::vector<NetworkProxy>& proxies, std::string_view url, const char* name) {
    if (url.empty())
        return;
    if (auto proxy = NetworkProxy::parse(url)) {
        proxies.push_back(std::move(*proxy));
        return;
    }
    logMessage(LogLevel::Warning, "halyard.net",
               std::string(name) + " in the environment is no URL of a SOCKS5 or HTTP proxy");
    proxies.push_back({NetworkProxy::Socks5, {}, 0, {}, {}}); // nobody: what would go by it fails
}

} // namespace

std::optional<NetworkProxy> NetworkProxy::parse(std::string_view url) {
    NetworkProxy proxy{Http, {}, usualHttpPort, {}, {}};
    if (const std::size_t end = url.find("://"); end != std::string_view::npos) {
        const std::string_view scheme = url.substr(0, end);
        if (isSame(scheme, "socks5") || isSame(scheme, "socks5h"))
            proxy = {Socks5, {}, usualSocksPort, {}, {}};
        else if (!isSame(scheme, "http"))
            return std::nullopt;
        url.remove_prefix(end + 3);
    }
    url = url.substr(0, url.find_first_of("/?#"));
    if (const std::size_t end = url.rfind('@'); end != std::string_view::npos) {
        const std::string_view who = url.substr(0, end);
        const std::size_t colon = std::min(who.find(':'), who.size());
        auto user = decoded(who.substr(0, colon));
        auto password = decoded(who.substr(std::min(colon + 1, who.size())));
        if (!user || !password)
            return std::nullopt;
        proxy.user = std::move(*user);
        proxy.password = std::move(*password);
        url.remove_prefix(end + 1);
    }
    const auto both = split(url);
    if (!both || both->host.empty() || both->port == std::uint16_t{0})
        return std::nullopt;
    proxy.host = both->host;
    proxy.port = both->port.value_or(proxy.port);
    return proxy;
}

std::string NetworkProxy::toString() const {
    if (type != Socks5 && type != Http)
        return {};
    std::string name = printable(host);
    if (name.find(':') != std::string::npos)
        name = '[' + name + ']';
    return (type == Socks5 ? "socks5://" : "http://") + name + ':' + std::to_string(port);
}

ProxySelector NetworkProxy::fromEnvironment() {
    std::vector<NetworkProxy> proxies;
    addProxy(proxies, variable("https_proxy", "HTTPS_PROXY"), "HTTPS_PROXY");
    addProxy(proxies, variable("all_proxy", "ALL_PROXY"), "ALL_PROXY");
    return [proxies = std::move(proxies),
            exceptions = exceptionsIn(variable("no_proxy", "NO_PROXY"))](const ProxyQuery& query) {
        const bool isException =
            std::ranges::any_of(exceptions, [&query](const Exception& each) { return each.covers(query); });
        return isException ? std::vector<NetworkProxy>() : proxies;
    };
}

} // namespace halyard
