#include <logged.h>

#include <halyard/net/network_proxy.h>

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;

namespace {

constexpr auto socks = NetworkProxy::Socks5;
constexpr auto http = NetworkProxy::Http;

using Variables = std::vector<std::pair<const char*, const char*>>;

/// The variables of proxies, as they are while it lives.
class Environment {
  public:
    explicit Environment(const Variables& variables) {
        forget();
        for (const auto& [name, value] : variables)
            ::setenv(name, value, 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { forget(); }

    static std::vector<NetworkProxy> ask(const std::string& host, std::uint16_t port = 80) {
        return NetworkProxy::fromEnvironment()({ProxyQuery::Kind::Connect, host, port});
    }

  private:
    static void forget() {
        for (const char* each : {"all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"})
            ::unsetenv(each);
    }
};

} // namespace

TEST_CASE("the URL of a proxy") {
    CHECK(NetworkProxy::parse("socks5://user:pass@proxy.example:1081") ==
          NetworkProxy{socks, "proxy.example", 1081, "user", "pass"});
    CHECK(NetworkProxy::parse("SOCKS5H://proxy.example") == NetworkProxy{socks, "proxy.example", 1080, {}, {}});
    CHECK(NetworkProxy::parse("http://[2001:db8::1]:8080/") == NetworkProxy{http, "2001:db8::1", 8080, {}, {}});
    CHECK(NetworkProxy::parse("proxy.example") == NetworkProxy{http, "proxy.example", 3128, {}, {}});
    CHECK(NetworkProxy::parse("192.0.2.1:8080") == NetworkProxy{http, "192.0.2.1", 8080, {}, {}});
    CHECK(NetworkProxy::parse("http://us%3Aer:p%40s%25s@a") == NetworkProxy{http, "a", 3128, "us:er", "p@s%s"});
    CHECK(NetworkProxy::parse("http://user@a") == NetworkProxy{http, "a", 3128, "user", {}});
    CHECK(NetworkProxy::parse("http://user:p:w@a") == NetworkProxy{http, "a", 3128, "user", "p:w"});
    for (const char* each : {"", "http://", "https://proxy.example", "socks4://proxy.example", "socks5://:1080",
                             "http://a:0", "http://a:65536", "http://a:x", "http://a:", "http://[::1", "http://[a]:1",
                             "http://%zz@a", "http://%1@a", "http://u:%@a"})
        CHECK_FALSE(NetworkProxy::parse(each));
}

TEST_CASE("the text of a proxy tells no secret, and stands on one line") {
    CHECK(NetworkProxy{socks, "proxy.example", 1080, "user", "secret"}.toString() == "socks5://proxy.example:1080");
    CHECK(NetworkProxy{http, "::1", 3128, "user", "secret"}.toString() == "http://[::1]:3128");
    CHECK(NetworkProxy{http, "a\r\nb\x1b", 1, {}, {}}.toString() == "http://a??b?:1");
    CHECK(NetworkProxy().toString().empty());
    CHECK(NetworkProxy{NetworkProxy::None, {}, 0, {}, {}}.toString().empty());
}

TEST_CASE("the environment names proxies, the one for tunnels before the one for all") {
    CHECK(Environment(Variables{}).ask("host.example").empty());
    const NetworkProxy all{socks, "all", 1080, {}, {}};
    const NetworkProxy tunnel{http, "tunnel", 3128, {}, {}};
    CHECK(Environment(Variables{{"ALL_PROXY", "socks5://all"}}).ask("host.example") == std::vector{all});
    CHECK(Environment(Variables{{"ALL_PROXY", "socks5://all"}, {"HTTPS_PROXY", "http://tunnel"}}).ask("host.example") ==
          std::vector{tunnel, all});
    CHECK(Environment(Variables{{"all_proxy", "socks5://all"}, {"ALL_PROXY", "socks5://other"}}).ask("a") ==
          std::vector{all});
    CHECK(Environment(Variables{{"https_proxy", ""}, {"HTTPS_PROXY", "tunnel"}}).ask("a") == std::vector{tunnel});
}

TEST_CASE("the environment names what goes directly") {
    const auto isDirect = [](const char* list, const std::string& host, std::uint16_t port = 80) {
        const Environment environment(Variables{{"ALL_PROXY", "socks5://all"}, {"NO_PROXY", list}});
        return environment.ask(host, port).empty();
    };
    for (const char* list : {"example.org", ".example.org", "*.example.org", "x, EXAMPLE.org ,y", "x example.org"}) {
        CHECK(isDirect(list, "example.org"));
        CHECK(isDirect(list, "www.Example.org."));
        CHECK_FALSE(isDirect(list, "notexample.org"));
        CHECK_FALSE(isDirect(list, "example.org.evil.example"));
        CHECK_FALSE(isDirect(list, "192.0.2.1"));
    }
    CHECK(isDirect("*", "host.example"));
    CHECK(isDirect("*", "192.0.2.1"));
    CHECK(isDirect("example.org:81", "example.org", 81));
    CHECK_FALSE(isDirect("example.org:81", "example.org", 80));
    CHECK(isDirect("192.0.2.1", "192.0.2.1"));
    CHECK_FALSE(isDirect("192.0.2.1", "192.0.2.2"));
    CHECK(isDirect("192.0.2.1:81", "192.0.2.1", 81));
    CHECK(isDirect("192.0.2.0/24", "192.0.2.77"));
    CHECK(isDirect("192.0.2.0/24", "::ffff:192.0.2.77"));
    CHECK_FALSE(isDirect("192.0.2.0/24", "192.0.3.1"));
    CHECK_FALSE(isDirect("192.0.2.0/24", "host.example"));
    CHECK(isDirect("2001:db8::/32", "2001:db8::7"));
    CHECK(isDirect("2001:db8::7", "2001:db8::7"));
    CHECK(isDirect("[2001:db8::7]:80", "2001:db8::7"));
    CHECK_FALSE(isDirect("[2001:db8::7]:81", "2001:db8::7"));
    for (const char* list : {"", ",, ", "/", "a/b", ":80", "[", "example.org:x", "192.0.2.0/99"})
        CHECK_FALSE(isDirect(list, "example.org"));
}

TEST_CASE("a proxy of the environment that cannot be spoken to is not gone around") {
    Logged logged;
    const Environment environment(Variables{{"ALL_PROXY", "socks4://user:secret@all"}});
    CHECK(environment.ask("a") == std::vector{NetworkProxy{socks, {}, 0, {}, {}}});
    CHECK(logged.linesWith("ALL_PROXY in the environment is no URL of a SOCKS5 or HTTP proxy") == 1);
}
