// What may stand in an environment: the URL of a proxy, a line end, and the exceptions.
#include "demand.h"

#include <halyard/core/log.h>
#include <halyard/net/network_proxy.h>

#include <cstdlib>
#include <string>

using namespace halyard;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    setLogSink([](LogLevel, std::string_view, std::string_view text) {
        fuzz::demand(text.starts_with("ALL_PROXY in the environment is no URL"));
    });
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view exceptions = fuzz::textOf(data, size);
    const std::string_view text = fuzz::cutLine(exceptions);
    const auto proxy = NetworkProxy::parse(text);
    if (proxy) {
        const std::string shown = proxy->toString();
        fuzz::demand(proxy->port != 0 && !proxy->host.empty());
        fuzz::demand(shown.find('\n') == std::string::npos);
    }
    ::setenv("all_proxy", std::string(text).c_str(), 1);
    ::setenv("no_proxy", std::string(exceptions).c_str(), 1);
    const ProxySelector selector = NetworkProxy::fromEnvironment();
    for (const char* host : {"www.example.org", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"})
        fuzz::demand(selector({ProxyQuery::Kind::Connect, host, 80}).size() <= 1);
    return 0;
}
