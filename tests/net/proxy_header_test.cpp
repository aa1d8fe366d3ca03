// The header of the PROXY protocol, byte by byte.
#include <halyard/net/proxy_header.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace halyard;

namespace {

using State = ProxyHeaderParser::State;
using namespace std::string_literals;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string binary(std::uint8_t command, std::uint8_t family, const std::string& block) {
    std::string text = signature;
    text += static_cast<char>(command);
    text += static_cast<char>(family);
    text += static_cast<char>(block.size() >> 8);
    text += static_cast<char>(block.size() & 0xff);
    return text + block;
}

const std::string ipv4Block = "\x0a\x00\x00\x01\xc0\x00\x02\x07\x12\x34\x00\x50"s;
const std::string ipv6Block =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s + "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"s + "\xff\xff\x00\x50"s;

Endpoint at(const char* text) { return *parseEndpoint(text); }

struct Valid {
    std::string text;
    Endpoint source{};
    Endpoint destination{};
};

const std::vector<Valid> valid{
    {"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", at("192.0.2.1:56324"), at("198.51.100.2:443")},
    {"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", at("255.255.255.255:65535"), at("0.0.0.0:0")},
    {"PROXY TCP6 2001:db8::1 ::1 56324 443\r\n", at("[2001:db8::1]:56324"), at("[::1]:443")},
    {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
     at("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"), at("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")},
    {"PROXY UNKNOWN\r\n"},
    {"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"},
    {binary(0x21, 0x11, ipv4Block), at("10.0.0.1:4660"), at("192.0.2.7:80")},
    {binary(0x21, 0x21, ipv6Block), at("[2001:db8::1]:65535"), at("[2001:db8::2]:80")},
    {binary(0x21, 0x31, std::string(216, 'x'))},
    {binary(0x21, 0x00, "")},
    {binary(0x21, 0x00, "whatever")},
    {binary(0x20, 0x00, "")},
    {binary(0x20, 0x11, ipv4Block)},
    {binary(0x20, 0xff, "whatever")},
    {binary(0x21, 0x11,
            ipv4Block + "\x02\x00\x0b"
                        "example.org"s),
     at("10.0.0.1:4660"), at("192.0.2.7:80")},
};

const std::vector<std::string> invalid{
    "GET / HTTP/1.0\r\n",
    "proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
    "PROXYTCP4",
    "PROXY \r\n",
    "PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n",
    "PROXY TCP4\r\n",
    "PROXY TCP4 192.0.2.1\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
    "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n",
    "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
    "PROXY TCP6 fe80::1%1 ::1 1 2\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
    "PROXY UNKNOWN" + std::string(200, 'x'),
    "\r\n\r\nx",
    binary(0x11, 0x11, ipv4Block),
    binary(0x22, 0x11, ipv4Block),
    binary(0x21, 0x12, ipv4Block),
    binary(0x21, 0x41, ipv4Block),
    binary(0x21, 0x11, ipv4Block.substr(1)),
    binary(0x21, 0x21, ipv4Block),
    binary(0x21, 0x31, std::string(215, 'x')),
    binary(0x21, 0x00, std::string(4081, 'x')),
};

} // namespace

TEST_CASE("a header is read whole, whatever follows it, and nothing of that is taken") {
    for (const Valid& each : valid) {
        CAPTURE(each.text);
        ProxyHeaderParser parser;
        CHECK(parser.consume(each.text + "PROXY \r\n") == each.text.size());
        CHECK(parser.state() == State::Complete);
        CHECK(parser.error().empty());
        CHECK(parser.header().source == each.source);
        CHECK(parser.header().destination == each.destination);
        CHECK(parser.consume("more") == 0);
    }
}

TEST_CASE("a header may come in any pieces") {
    for (const Valid& each : valid) {
        CAPTURE(each.text);
        for (std::size_t piece = 1; piece != each.text.size(); ++piece) {
            ProxyHeaderParser parser;
            for (std::size_t begin = 0; begin < each.text.size(); begin += piece) {
                CHECK(parser.state() == State::Incomplete);
                const std::string_view bytes = std::string_view(each.text).substr(begin, piece);
                CHECK(parser.consume(bytes) == bytes.size());
            }
            CHECK(parser.state() == State::Complete);
            CHECK(parser.header().source == each.source);
            CHECK(parser.header().destination == each.destination);
        }
    }
}

TEST_CASE("whatever else comes is invalid, and says why, at once or in pieces") {
    for (const std::string& each : invalid) {
        CAPTURE(each);
        ProxyHeaderParser atOnce;
        CHECK(atOnce.consume(each) <= each.size());
        CHECK(atOnce.state() == State::Invalid);
        CHECK_FALSE(atOnce.error().empty());
        CHECK(atOnce.consume("more") == 0);
        ProxyHeaderParser byByte;
        for (const char byte : each)
            byByte.consume({&byte, 1});
        CHECK(byByte.state() == State::Invalid);
        CHECK(byByte.error() == atOnce.error());
    }
}

TEST_CASE("a peer that sends no end costs no more than the limit") {
    ProxyHeaderParser line;
    CHECK(line.consume("PROXY UNKNOWN " + std::string(100'000, 'x')) == 107);
    CHECK(line.state() == State::Invalid);
    ProxyHeaderParser block(100);
    CHECK(block.consume(signature + "\x21\x11\xff\xff" + std::string(100'000, 'x')) == 16);
    CHECK(block.state() == State::Invalid);
    ProxyHeaderParser fits(16 + 4);
    fits.consume(binary(0x21, 0x00, "1234"));
    CHECK(fits.state() == State::Complete);
}

TEST_CASE("extensions are found by their type") {
    ProxyHeaderParser parser;
    parser.consume(binary(0x21, 0x11,
                          ipv4Block +
                              "\x02\x00\x0b"
                              "example.org"s +
                              "\x05\x00\x00"s + "\x02\x00\x01z"s + "\x09\xff"s));
    REQUIRE(parser.state() == State::Complete);
    CHECK(parser.header().extension(2) == "example.org");
    CHECK(parser.header().extension(5) == "");
    CHECK_FALSE(parser.header().extension(9));
    ProxyHeader cut;
    cut.extensions = "\x02\x00\x0b"
                     "exa"s;
    CHECK_FALSE(cut.extension(2));
}

TEST_CASE("headers with any byte changed are read or refused, and never more is taken than there is") {
    std::uint32_t random = 1;
    for (const Valid& each : valid)
        for (std::size_t i = 0; i != each.text.size(); ++i)
            for (int round = 0; round != 4; ++round) {
                random = random * 1664525 + 1013904223;
                std::string text = each.text;
                text[i] = static_cast<char>(random >> 24);
                ProxyHeaderParser parser;
                CHECK(parser.consume(text) <= text.size());
            }
}
