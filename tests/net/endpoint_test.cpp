#include <halyard/net/endpoint.h>

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <type_traits>

using halyard::Endpoint;
using halyard::HostAddress;
using halyard::parseEndpoint;

static_assert(std::is_aggregate_v<Endpoint>);
static_assert(std::is_trivially_copyable_v<Endpoint>);
static_assert(std::is_nothrow_default_constructible_v<Endpoint>);
static_assert(noexcept(Endpoint() == Endpoint()) && noexcept(Endpoint() <=> Endpoint()));
static_assert(Endpoint{HostAddress::LocalHost, 80} != Endpoint{HostAddress::LocalHost, 81});
static_assert(Endpoint{HostAddress::LocalHost, 80} < Endpoint{HostAddress::LocalHostIPv6, 79});

TEST_CASE("an endpoint parses from an address and a port, and prints the same") {
    struct Row {
        const char* text;
        Endpoint endpoint;
        const char* printed;
    };
    const Row rows[] = {
        {"127.0.0.1:80", {HostAddress::LocalHost, 80}, "127.0.0.1:80"},
        {"0.0.0.0:0", {HostAddress::AnyIPv4, 0}, "0.0.0.0:0"},
        {"[::1]:65535", {HostAddress::LocalHostIPv6, 65535}, "[::1]:65535"},
        {"[::]:1", {HostAddress::AnyIPv6, 1}, "[::]:1"},
        {"[::FFFF:127.0.0.1]:80", {HostAddress("::ffff:127.0.0.1"), 80}, "[::ffff:127.0.0.1]:80"},
        {"[fe80::1%4294967295]:80", {HostAddress("fe80::1%4294967295"), 80}, "[fe80::1%4294967295]:80"},
        {"*:80", {HostAddress::Any, 80}, "*:80"},
        {":80", {HostAddress::Any, 80}, "*:80"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto endpoint = parseEndpoint(row.text);
        REQUIRE(endpoint);
        CHECK(*endpoint == row.endpoint);
        CHECK(endpoint->toString() == row.printed);
        CHECK(parseEndpoint(row.printed) == endpoint);
    }
}

TEST_CASE("text that is no endpoint does not parse") {
    using namespace std::string_literals;
    const std::string rows[] = {
        "",
        ":",
        "*",
        "80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:4294967376",
        "127.0.0.1:-1",
        "127.0.0.1:+80",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        "127.0.0.1:080",
        "127.0.0.1:0x50",
        "127.0.0.1:http",
        "127.0.0.1:80:80",
        "127.0.0.1:80\0"s,
        "127.0.0.1\0:80"s,
        " 127.0.0.1:80",
        "127.1:80",
        "localhost:80",
        "[127.0.0.1]:80",
        "[*]:80",
        "[]:80",
        "[:80",
        "]:80",
        "**:80",
        "::1",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "::1]:80",
        "[[::1]]:80",
        "[::1] :80",
    };
    for (const std::string& text : rows) {
        CAPTURE(text);
        CHECK_FALSE(parseEndpoint(text));
    }
}

TEST_CASE("an endless text is no endpoint") {
    CHECK_FALSE(parseEndpoint(std::string(1 << 20, ':')));
    CHECK_FALSE(parseEndpoint(":" + std::string(1 << 20, '1')));
    CHECK_FALSE(parseEndpoint(":" + std::string(1 << 20, '0')));
}

TEST_CASE("an endpoint without an address has no text") {
    CHECK(Endpoint{}.toString().empty());
    CHECK((Endpoint{{}, 80}.toString().empty()));
}

TEST_CASE("random endpoints parse back from their text") {
    std::mt19937 random(20240605);
    for (int i = 0; i < 10000; ++i) {
        Endpoint endpoint{HostAddress(static_cast<std::uint32_t>(random())), static_cast<std::uint16_t>(random())};
        REQUIRE(parseEndpoint(endpoint.toString()) == endpoint);
        auto bytes = endpoint.address.toIPv6();
        bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        endpoint.address = HostAddress(bytes);
        REQUIRE(parseEndpoint(endpoint.toString()) == endpoint);
    }
}
