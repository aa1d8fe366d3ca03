#include <halyard/net/host_address.h>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <vector>

using halyard::HostAddress;
using Protocol = HostAddress::Protocol;
using Bytes = std::array<std::uint8_t, 16>;

static_assert(std::is_trivially_copyable_v<HostAddress>);
static_assert(std::is_trivially_destructible_v<HostAddress>);
static_assert(std::is_nothrow_default_constructible_v<HostAddress>);
static_assert(std::is_nothrow_constructible_v<HostAddress, HostAddress::Special>);
static_assert(std::is_nothrow_constructible_v<HostAddress, std::uint32_t>);
static_assert(std::is_nothrow_constructible_v<HostAddress, const Bytes&>);
static_assert(std::is_nothrow_constructible_v<HostAddress, const sockaddr*>);
static_assert(std::is_constructible_v<HostAddress, const char*> && std::is_constructible_v<HostAddress, std::string>);
static_assert(std::is_convertible_v<HostAddress::Special, HostAddress>);
static_assert(!std::is_convertible_v<std::string_view, HostAddress>);
static_assert(!std::is_convertible_v<std::uint32_t, HostAddress>);
static_assert(!std::is_convertible_v<const sockaddr*, HostAddress>);
static_assert(noexcept(HostAddress() == HostAddress()) && noexcept(HostAddress() <=> HostAddress()));
static_assert(sizeof(HostAddress) <= 24);
static_assert(HostAddress(HostAddress::LocalHost) == HostAddress(0x7f000001u), "usable in constant expressions");

namespace {

/// The first interface of this host; index 0 if it has none.
struct Interface {
    std::uint32_t index = 0;
    std::string name;

    Interface() {
        if (auto* all = if_nameindex()) {
            if (all->if_index != 0) {
                index = all->if_index;
                name = all->if_name;
            }
            if_freenameindex(all);
        }
    }
};

/// What inet_pton(3) makes of a text that names no scope; null if nothing.
HostAddress oracle(const std::string& text) {
    if (text.find('\0') != std::string::npos)
        return {};
    if (in_addr in{}; inet_pton(AF_INET, text.c_str(), &in) == 1)
        return HostAddress(std::uint32_t{ntohl(in.s_addr)});
    if (in6_addr in6{}; inet_pton(AF_INET6, text.c_str(), &in6) == 1)
        return HostAddress(in6.s6_addr);
    return {};
}

/// Sixteen random bytes, most of them zero or 0xff, so that runs, mapped and special addresses come up.
Bytes randomBytes(std::mt19937& random) {
    Bytes bytes{};
    const auto density = random() % 4;
    for (std::uint8_t& byte : bytes) {
        if (random() % 4 < density)
            byte = static_cast<std::uint8_t>(random());
    }
    if (random() % 4 == 0)
        bytes[10] = bytes[11] = 0xff;
    return bytes;
}

} // namespace

TEST_CASE("a default address is null") {
    const HostAddress address;
    CHECK(address.isNull());
    CHECK(address == HostAddress::Null);
    CHECK(address.protocol() == Protocol::Unknown);
    CHECK(address.toString().empty());
    CHECK(address.toIPv4() == std::nullopt);
    CHECK(address.toIPv6() == Bytes{});
    CHECK_FALSE(address.isLoopback());
    CHECK_FALSE(address.isMulticast());
    CHECK_FALSE(address.isLinkLocal());
    CHECK_FALSE(address.isUnspecified());
    CHECK_FALSE(address.isInSubnet(address, 0));
}

TEST_CASE("every special address has its family and its text") {
    struct Row {
        HostAddress::Special special;
        Protocol protocol;
        const char* text;
    };
    const Row rows[] = {
        {HostAddress::Null, Protocol::Unknown, ""},
        {HostAddress::Broadcast, Protocol::IPv4, "255.255.255.255"},
        {HostAddress::LocalHost, Protocol::IPv4, "127.0.0.1"},
        {HostAddress::LocalHostIPv6, Protocol::IPv6, "::1"},
        {HostAddress::Any, Protocol::Any, "0.0.0.0"},
        {HostAddress::AnyIPv4, Protocol::IPv4, "0.0.0.0"},
        {HostAddress::AnyIPv6, Protocol::IPv6, "::"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.special);
        const HostAddress address = row.special;
        CHECK(address.protocol() == row.protocol);
        CHECK(address.toString() == row.text);
        for (const Row& other : rows)
            CHECK((address == other.special) == (row.special == other.special));
    }
}

TEST_CASE("text of one address parses, and prints in its canonical form") {
    struct Row {
        const char* text;
        const char* canonical;
    };
    const Row rows[] = {
        {"0.0.0.0", "0.0.0.0"},
        {"192.168.1.7", "192.168.1.7"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"2001:DB8::00ff", "2001:db8::ff"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"::ffff:127.0.0.1", "::ffff:127.0.0.1"},
        {"::FFFF:7f00:1", "::ffff:127.0.0.1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto address = HostAddress::parse(row.text);
        REQUIRE(address);
        CHECK(address->toString() == row.canonical);
        CHECK(HostAddress(row.text) == *address);
    }
}

TEST_CASE("text that is more or less than one address does not parse") {
    using namespace std::string_literals;
    const std::string rows[] = {
        // IPv4: fewer and more than four numbers, numbers that are none, and the shapes of inet_aton(3).
        "",
        " ",
        "localhost",
        "*",
        "1.2.3.4.5",
        "1..2.3",
        "1.2.3.",
        ".1.2.3",
        "256.0.0.1",
        "-1.0.0.0",
        "+1.0.0.0",
        "1",
        "127.1",
        "1.2.3",
        "4294967295",
        "0x7f.0.0.1",
        "010.0.0.1",
        "00.0.0.0",
        // What may stand around an address elsewhere.
        " 127.0.0.1",
        "127.0.0.1 ",
        "127.0.0.1\n",
        "127.0.0.1:80",
        "127.0.0.1/8",
        "127.0.0.1\0"s,
        "127.0.0.1\0.evil"s,
        "[::1]",
        "[::1]:80",
        "::1/128",
        "::1\0"s,
        // IPv6.
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "10000::",
        "g::",
        "::1.2.3",
        "::1.2.3.256",
        "1.2.3.4::",
        // Scopes.
        "%1",
        "127.0.0.1%1",
        "::1%",
        "::1%%1",
        "::1%-1",
        "::1%01",
        "::1%4294967296",
        "::1%no-such-if0",
        "::1%a-name-longer-than-any-interface",
        "::1%1\0"s,
    };
    for (const std::string& text : rows) {
        CAPTURE(text);
        CHECK_FALSE(HostAddress::parse(text));
        CHECK(HostAddress(text).isNull());
    }
}

TEST_CASE("text far longer than any address does not parse") {
    for (const char filler : {'1', ':', '0', 'f', ' ', '%'}) {
        CAPTURE(filler);
        const std::string filling(1 << 20, filler);
        for (const char* text : {"", "127.0.0.1", "::1", "::1%", "::1%4"}) {
            CHECK_FALSE(HostAddress::parse(text + filling));
            CHECK_FALSE(HostAddress::parseSubnet("10.0.0.0/" + filling));
        }
    }
}

TEST_CASE("a scope is kept as a number") {
    const std::uint32_t unused = 4294967295;
    const HostAddress address("fe80::1%4294967295");
    CHECK(address.scopeId() == unused);
    CHECK(address.toString() == "fe80::1%4294967295");
    CHECK(address != HostAddress("fe80::1"));
    CHECK(HostAddress("fe80::1%0") == HostAddress("fe80::1"));
    CHECK(HostAddress("2001:db8::1%4294967295").scopeId() == unused);
}

TEST_CASE("a scope is read and written as the interface's name") {
    const Interface interface;
    if (interface.index == 0) {
        MESSAGE("no interface here");
        return;
    }
    const HostAddress address("fe80::1%" + interface.name);
    CHECK(address.scopeId() == interface.index);
    CHECK(address.toString() == "fe80::1%" + interface.name);
    CHECK(HostAddress("fe80::1%" + std::to_string(interface.index)) == address);
    CHECK(HostAddress::parse(address.toString()) == address);
    CHECK_FALSE(HostAddress::parse(address.toString() + '\0'));
}

TEST_CASE("only an IPv6 address takes a scope id") {
    HostAddress ipv6("fe80::1");
    ipv6.setScopeId(7);
    CHECK(ipv6.scopeId() == 7);
    ipv6.setScopeId(0);
    CHECK(ipv6 == HostAddress("fe80::1"));
    for (const HostAddress& unscoped :
         {HostAddress(), HostAddress(HostAddress::LocalHost), HostAddress(HostAddress::Any)}) {
        HostAddress address = unscoped;
        address.setScopeId(7);
        CHECK(address == unscoped);
    }
}

TEST_CASE("a mapped address is another value than the IPv4 address inside it, and the same number") {
    const HostAddress mapped("::ffff:127.0.0.1");
    const HostAddress plain = HostAddress::LocalHost;
    CHECK(mapped != plain);
    CHECK(mapped.protocol() == Protocol::IPv6);
    CHECK(mapped.toIPv4() == 0x7f000001u);
    CHECK(plain.toIPv4() == 0x7f000001u);
    CHECK(plain.toIPv6() == mapped.toIPv6());
    CHECK(HostAddress(plain.toIPv6()) == mapped);
    CHECK(HostAddress(*mapped.toIPv4()) == plain);
    CHECK(HostAddress("::1").toIPv4() == std::nullopt);
    CHECK(HostAddress("::127.0.0.1").toIPv4() == std::nullopt);
    CHECK(HostAddress(HostAddress::Any).toIPv4() == std::nullopt);
}

TEST_CASE("addresses know their kind") {
    struct Row {
        const char* text;
        bool loopback, multicast, linkLocal, unspecified;
    };
    const Row rows[] = {
        {"127.0.0.1", true, false, false, false},
        {"127.255.255.255", true, false, false, false},
        {"128.0.0.0", false, false, false, false},
        {"126.255.255.255", false, false, false, false},
        {"::1", true, false, false, false},
        {"::2", false, false, false, false},
        {"::ffff:127.3.2.1", true, false, false, false},
        {"224.0.0.0", false, true, false, false},
        {"239.255.255.255", false, true, false, false},
        {"240.0.0.0", false, false, false, false},
        {"223.255.255.255", false, false, false, false},
        {"ff02::1", false, true, false, false},
        {"::ffff:224.0.0.1", false, true, false, false},
        {"169.254.0.1", false, false, true, false},
        {"169.253.255.255", false, false, false, false},
        {"fe80::1", false, false, true, false},
        {"febf::1", false, false, true, false},
        {"fec0::1", false, false, false, false},
        {"::ffff:169.254.9.9", false, false, true, false},
        {"0.0.0.0", false, false, false, true},
        {"::", false, false, false, true},
        {"::ffff:0.0.0.0", false, false, false, true},
        {"0.0.0.1", false, false, false, false},
        {"255.255.255.255", false, false, false, false},
        {"2001:db8::1", false, false, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const HostAddress address(row.text);
        CHECK(address.isLoopback() == row.loopback);
        CHECK(address.isMulticast() == row.multicast);
        CHECK(address.isLinkLocal() == row.linkLocal);
        CHECK(address.isUnspecified() == row.unspecified);
    }
    CHECK(HostAddress(HostAddress::Any).isUnspecified());
}

TEST_CASE("a subnet holds the addresses that begin with its bits") {
    struct Row {
        const char* address;
        const char* network;
        int length;
        bool inside;
    };
    const Row rows[] = {
        {"10.1.2.3", "10.0.0.0", 8, true},
        {"11.1.2.3", "10.0.0.0", 8, false},
        {"10.1.2.3", "10.9.9.9", 8, true},
        {"192.168.1.127", "192.168.1.0", 25, true},
        {"192.168.1.128", "192.168.1.0", 25, false},
        {"1.2.3.4", "200.0.0.0", 0, true},
        {"1.2.3.4", "1.2.3.4", 32, true},
        {"1.2.3.5", "1.2.3.4", 32, false},
        {"1.2.3.4", "1.2.3.4", 33, false},
        {"1.2.3.4", "1.2.3.4", -1, false},
        {"2001:db8:1::1", "2001:db8::", 32, true},
        {"2001:db9::1", "2001:db8::", 32, false},
        {"2001:db9::1", "2001:db8::", 31, true},
        {"::1", "::1", 128, true},
        {"::", "::1", 128, false},
        {"::1", "::1", 129, false},
        {"::1", "ffff::", 0, true},
        {"::ffff:10.1.2.3", "10.0.0.0", 8, false},
        {"10.1.2.3", "::ffff:10.0.0.0", 104, false},
        {"::ffff:10.1.2.3", "::ffff:10.0.0.0", 104, true},
        {"0.0.0.0", "::", 0, false},
        {"fe80::1%8", "fe80::", 10, true},
        {"fe80::1%8", "fe80::%8", 10, true},
        {"fe80::1%8", "fe80::%9", 10, false},
        {"fe80::1", "fe80::%9", 10, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.address);
        CAPTURE(row.network);
        CAPTURE(row.length);
        CHECK(HostAddress(row.address).isInSubnet(HostAddress(row.network), row.length) == row.inside);
    }
    const HostAddress any = HostAddress::Any;
    CHECK_FALSE(any.isInSubnet(any, 0));
    CHECK_FALSE(any.isInSubnet(HostAddress::AnyIPv4, 0));
}

TEST_CASE("subnets parse from a length, a netmask or an address alone") {
    struct Row {
        const char* text;
        const char* address;
        int length;
    };
    const Row rows[] = {
        {"10.0.0.0/8", "10.0.0.0", 8},
        {"10.1.2.3/0", "10.1.2.3", 0},
        {"10.0.0.0/32", "10.0.0.0", 32},
        {"10.0.0.0/255.0.0.0", "10.0.0.0", 8},
        {"10.0.0.0/255.255.254.0", "10.0.0.0", 23},
        {"10.0.0.0/0.0.0.0", "10.0.0.0", 0},
        {"10.0.0.0/255.255.255.255", "10.0.0.0", 32},
        {"10.0.0.1", "10.0.0.1", 32},
        {"2001:db8::/32", "2001:db8::", 32},
        {"::/0", "::", 0},
        {"::1/128", "::1", 128},
        {"::1", "::1", 128},
        {"fe80::%4294967295/10", "fe80::%4294967295", 10},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto subnet = HostAddress::parseSubnet(row.text);
        REQUIRE(subnet);
        CHECK(subnet->first == HostAddress(row.address));
        CHECK(subnet->second == row.length);
    }
}

TEST_CASE("text that is no subnet does not parse as one") {
    for (const char* text : {"",
                             "/",
                             "/8",
                             "10/8",
                             "10.",
                             "10.0.0.0/",
                             "10.0.0.0/33",
                             "10.0.0.0/-1",
                             "10.0.0.0/+8",
                             "10.0.0.0/08",
                             "10.0.0.0/ 8",
                             "10.0.0.0/8 ",
                             "10.0.0.0/8/8",
                             "10.0.0.0/255.0.255.0",
                             "10.0.0.0/0.0.0.255",
                             "10.0.0.0/255.0.0",
                             "10.0.0.0/::",
                             "10.0.0.0/4294967304",
                             "::/129",
                             "::/255.0.0.0",
                             "::/ffff::",
                             "fe80::/10%1",
                             "localhost/8"}) {
        CAPTURE(text);
        CHECK_FALSE(HostAddress::parseSubnet(text));
    }
}

TEST_CASE("an address goes into a sockaddr and comes back") {
    for (const char* text :
         {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4", "fe80::1%4294967295"}) {
        CAPTURE(text);
        const HostAddress address(text);
        sockaddr_storage storage{};
        const std::size_t length = address.toSockaddr(storage, 8080);
        CHECK(storage.ss_family == (address.protocol() == Protocol::IPv4 ? AF_INET : AF_INET6));
        CHECK(length == (storage.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
        const auto* pointer = reinterpret_cast<const sockaddr*>(&storage);
        CHECK(HostAddress(pointer) == address);
        CHECK(HostAddress::portOf(pointer) == 8080);
    }
}

TEST_CASE("the sockaddr of Any is the unspecified IPv6 address") {
    sockaddr_storage storage{};
    CHECK(HostAddress(HostAddress::Any).toSockaddr(storage, 1) == sizeof(sockaddr_in6));
    CHECK(HostAddress(reinterpret_cast<const sockaddr*>(&storage)) == HostAddress::AnyIPv6);
}

TEST_CASE("a null address leaves the sockaddr alone") {
    sockaddr_storage storage{};
    storage.ss_family = AF_UNIX;
    CHECK(HostAddress().toSockaddr(storage, 80) == 0);
    CHECK(storage.ss_family == AF_UNIX);
}

TEST_CASE("a sockaddr of another family, or none, is the null address and port 0") {
    sockaddr_storage storage{};
    storage.ss_family = AF_UNIX;
    const auto* pointer = reinterpret_cast<const sockaddr*>(&storage);
    CHECK(HostAddress(pointer).isNull());
    CHECK(HostAddress::portOf(pointer) == 0);
    CHECK(HostAddress(static_cast<const sockaddr*>(nullptr)).isNull());
    CHECK(HostAddress::portOf(nullptr) == 0);
}

TEST_CASE("a sockaddr is read at any alignment") {
    sockaddr_storage storage{};
    const HostAddress address("2001:db8::1");
    const std::size_t length = address.toSockaddr(storage, 80);
    alignas(sockaddr_storage) std::array<char, sizeof storage + 2> raw{};
    std::memcpy(raw.data() + 2, &storage, length); // sa_family itself wants two bytes
    const auto* pointer = reinterpret_cast<const sockaddr*>(raw.data() + 2);
    CHECK(HostAddress(pointer) == address);
    CHECK(HostAddress::portOf(pointer) == 80);
}

TEST_CASE("addresses order by family, then number, then scope") {
    const std::vector<HostAddress> ordered = {
        HostAddress(),          HostAddress("0.0.0.0"),        HostAddress("9.0.0.1"), HostAddress("10.0.0.0"),
        HostAddress("::"),      HostAddress("::ffff:0.0.0.0"), HostAddress("fe80::1"), HostAddress("fe80::1%8"),
        HostAddress("fe80::2"), HostAddress(HostAddress::Any)};
    CHECK(std::is_sorted(ordered.begin(), ordered.end()));
    CHECK(std::set<HostAddress>(ordered.begin(), ordered.end()).size() == ordered.size());
    CHECK(std::unordered_set<HostAddress>(ordered.begin(), ordered.end()).size() == ordered.size());
}

TEST_CASE("equal addresses hash alike, and neighbours apart") {
    CHECK(std::hash<HostAddress>{}(HostAddress("127.0.0.1")) == std::hash<HostAddress>{}(HostAddress::LocalHost));
    std::set<std::size_t> hashes;
    for (std::uint32_t number = 0; number < 4096; ++number)
        hashes.insert(std::hash<HostAddress>{}(HostAddress(0x0a000000u + number)));
    CHECK(hashes.size() > 4000);
}

TEST_CASE("random IPv4 addresses print as inet_ntop prints them and parse back") {
    std::mt19937 random(20240601);
    for (int i = 0; i < 20000; ++i) {
        const HostAddress address(static_cast<std::uint32_t>(random()));
        const in_addr in{htonl(*address.toIPv4())};
        char expected[INET_ADDRSTRLEN];
        REQUIRE(inet_ntop(AF_INET, &in, expected, sizeof expected));
        REQUIRE(address.toString() == expected);
        REQUIRE(HostAddress::parse(expected) == address);
    }
}

TEST_CASE("random IPv6 addresses print as inet_ntop prints them and parse back") {
    std::mt19937 random(20240602);
    for (int i = 0; i < 20000; ++i) {
        const Bytes bytes = randomBytes(random);
        const HostAddress address(bytes);
        char expected[INET6_ADDRSTRLEN];
        REQUIRE(inet_ntop(AF_INET6, bytes.data(), expected, sizeof expected));
        REQUIRE(address.toString() == expected);
        REQUIRE(HostAddress::parse(expected) == address);
        REQUIRE(address.toIPv6() == bytes);
    }
}

TEST_CASE("random subnets agree with arithmetic on the bits") {
    std::mt19937 random(20240603);
    for (int i = 0; i < 20000; ++i) {
        const auto number = static_cast<std::uint32_t>(random());
        const int length = static_cast<int>(random() % 33);
        const std::uint32_t mask = length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
        const std::uint32_t other = number ^ (std::uint32_t{1} << random() % 32);
        REQUIRE(HostAddress(number).isInSubnet(HostAddress(other), length) == (((number ^ other) & mask) == 0));
        const auto parsed =
            HostAddress::parseSubnet(HostAddress(number).toString() + '/' + HostAddress(mask).toString());
        REQUIRE(parsed == std::pair(HostAddress(number), length));
    }
}

TEST_CASE("mutated texts parse exactly when inet_pton parses them") {
    using namespace std::string_view_literals;
    const std::string seeds[] = {"127.0.0.1",
                                 "255.255.255.255",
                                 "::",
                                 "::1",
                                 "2001:db8::a:0:1",
                                 "1:2:3:4:5:6:7:8",
                                 "::ffff:192.168.10.1",
                                 "1:2:3:4:5:6:77.77.88.88",
                                 "fe80::1%1",
                                 "10.0.0.0/8"};
    constexpr std::string_view alphabet = "0123456789abcdefABCDEFg.:.:.:%/[]*-+ x\0\xff"sv;
    std::mt19937 random(20240604);
    const auto letter = [&] { return alphabet[random() % alphabet.size()]; };
    int accepted = 0;
    for (int i = 0; i < 100000; ++i) {
        std::string text = seeds[random() % std::size(seeds)];
        for (auto edits = random() % 4; edits > 0; --edits) {
            const std::size_t at = random() % (text.size() + 1);
            if (const auto kind = random() % 3; kind == 0 || at == text.size())
                text.insert(at, 1, letter());
            else if (kind == 1)
                text[at] = letter();
            else
                text.erase(at, 1);
        }
        CAPTURE(text);
        const auto parsed = HostAddress::parse(text);
        if (text.find('%') == std::string::npos)
            REQUIRE(parsed.value_or(HostAddress()) == oracle(text));
        if (parsed) {
            ++accepted;
            REQUIRE_FALSE(parsed->isNull());
            REQUIRE(HostAddress::parse(parsed->toString()) == parsed);
        }
        if (const auto subnet = HostAddress::parseSubnet(text))
            REQUIRE(subnet->first.isInSubnet(*subnet));
    }
    CHECK(accepted > 10000);
}
