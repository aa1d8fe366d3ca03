// What may stand in an environment: the URL of a proxy, a line end, and the exceptions.
#include "handshake.h"

#include <halyard/core/log.h>
#include <halyard/net/network_proxy.h>

#include <cstdlib>
#include <string>

using namespace halyard;

/// Instead of the library's, which needs the rest of it.
void halyard::logMessage(LogLevel, std::string_view, std::string_view text) {
    fuzz::demand(text.starts_with("ALL_PROXY in the environment is no URL"));
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto proxy = NetworkProxy::parse(text.substr(0, end));
    if (proxy) {
        const std::string shown = proxy->toString();
        fuzz::demand(proxy->port != 0 && !proxy->host.empty());
        fuzz::demand(shown.find('\n') == std::string::npos);
    }
    ::setenv("all_proxy", std::string(text.substr(0, end)).c_str(), 1);
    ::setenv("no_proxy", std::string(text.substr(end)).c_str(), 1);
    const ProxySelector selector = NetworkProxy::fromEnvironment();
    for (const char* host : {"www.example.org", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"})
        fuzz::demand(selector({ProxyQuery::Kind::Connect, host, 80}).size() <= 1);
    return 0;
}
