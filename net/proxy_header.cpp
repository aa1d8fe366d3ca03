#include <halyard/net/proxy_header.h>

#include "words.h"

#include <algorithm>
#include <array>
#include <span>

namespace halyard {

namespace {

constexpr std::string_view lineStart = "PROXY ";
constexpr std::size_t longestLine = 107;

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t fixedPart = 16; // the signature, version and command, family and transport, length

constexpr std::size_t ipv4Block = 12; // two addresses, two ports
constexpr std::size_t ipv6Block = 36;
constexpr std::size_t unixBlock = 216; // two paths

std::uint8_t byteAt(std::string_view bytes, std::size_t index) noexcept {
    return static_cast<std::uint8_t>(bytes[index]);
}

std::uint16_t numberAt(std::string_view bytes, std::size_t index) noexcept {
    return static_cast<std::uint16_t>(byteAt(bytes, index) << 8 | byteAt(bytes, index + 1));
}

HostAddress ipv4At(std::string_view bytes, std::size_t index) noexcept {
    return HostAddress(std::uint32_t{numberAt(bytes, index)} << 16 | numberAt(bytes, index + 2));
}

HostAddress ipv6At(std::string_view bytes, std::size_t index) noexcept {
    std::array<std::uint8_t, 16> address{};
    std::transform(bytes.begin() + static_cast<std::ptrdiff_t>(index),
                   bytes.begin() + static_cast<std::ptrdiff_t>(index + address.size()), address.begin(),
                   [](char each) { return static_cast<std::uint8_t>(each); });
    return HostAddress(std::span<const std::uint8_t, 16>(address));
}

bool beginAlike(std::string_view one, std::string_view other) noexcept {
    const std::size_t size = std::min(one.size(), other.size());
    return one.substr(0, size) == other.substr(0, size);
}

/// Cuts the next word off, up to a space; nothing where the text does not go on.
std::string_view cutWord(std::string_view& text) noexcept {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    return word;
}

std::optional<HostAddress> parseAddress(std::string_view word, HostAddress::Protocol family) {
    const auto address = HostAddress::parse(word);
    if (!address || address->protocol() != family || word.find('%') != std::string_view::npos)
        return std::nullopt;
    return address;
}

} // namespace

std::optional<std::string_view> ProxyHeader::extension(std::uint8_t type) const noexcept {
    constexpr std::size_t head = 3; // type, length
    std::string_view rest = extensions;
    while (rest.size() >= head) {
        const std::size_t length = numberAt(rest, 1);
        if (rest.size() - head < length)
            break;
        if (byteAt(rest, 0) == type)
            return rest.substr(head, length);
        rest.remove_prefix(head + length);
    }
    return std::nullopt;
}

std::size_t ProxyHeaderParser::consume(std::string_view bytes) {
    std::size_t taken = 0;
    while (state_ == State::Incomplete && taken != bytes.size()) {
        const std::size_t next = wanted(bytes.substr(taken));
        text_.append(bytes.substr(taken, next));
        taken += next;
        look();
    }
    return taken;
}

/// How many of the bytes surely are the header's.
std::size_t ProxyHeaderParser::wanted(std::string_view bytes) const noexcept {
    if (text_.empty())
        return 1;
    if (text_.front() == lineStart.front())
        return std::min({bytes.find('\n'), bytes.size() - 1, longestLine - text_.size() - 1}) + 1;
    const std::size_t whole = text_.size() < fixedPart ? fixedPart : fixedPart + numberAt(text_, fixedPart - 2);
    return std::min(bytes.size(), whole - text_.size());
}

void ProxyHeaderParser::look() {
    if (beginAlike(text_, lineStart))
        lookAtLine();
    else if (beginAlike(text_, signature))
        lookAtBinary();
    else
        refuse("it does not begin with a PROXY protocol header");
}

void ProxyHeaderParser::refuse(std::string_view why) noexcept {
    state_ = State::Invalid;
    error_ = why;
}

// --- version 1 ---

void ProxyHeaderParser::lookAtLine() {
    if (text_.ends_with("\r\n")) {
        if (readLine(std::string_view(text_).substr(0, text_.size() - 2)))
            state_ = State::Complete;
        else
            refuse("its PROXY protocol line has no two addresses and ports");
    } else if (text_.ends_with('\n') || text_.size() == longestLine) {
        refuse("its PROXY protocol line has no end");
    }
}

bool ProxyHeaderParser::readLine(std::string_view line) {
    line.remove_prefix(lineStart.size());
    const std::string_view family = cutWord(line);
    if (family == "UNKNOWN") // whatever follows
        return true;
    if (family != "TCP4" && family != "TCP6")
        return false;
    const auto protocol = family == "TCP4" ? HostAddress::Protocol::IPv4 : HostAddress::Protocol::IPv6;
    const auto source = parseAddress(cutWord(line), protocol);
    const auto destination = parseAddress(cutWord(line), protocol);
    const auto sourcePort = parseDecimal<std::uint16_t>(cutWord(line));
    const auto destinationPort = parseDecimal<std::uint16_t>(line);
    if (!source || !destination || !sourcePort || !destinationPort)
        return false;
    header_.source = {*source, *sourcePort};
    header_.destination = {*destination, *destinationPort};
    return true;
}

// --- version 2 ---

void ProxyHeaderParser::lookAtBinary() {
    if (text_.size() < fixedPart)
        return;
    const std::size_t whole = fixedPart + numberAt(text_, fixedPart - 2);
    const int versionAndCommand = byteAt(text_, signature.size());
    if (versionAndCommand != 0x20 && versionAndCommand != 0x21)
        refuse("its PROXY protocol header has another version or an unknown command");
    else if (whole > maxLength_)
        refuse("its PROXY protocol header is too long");
    else if (text_.size() == whole)
        readBinary();
}

void ProxyHeaderParser::readBinary() {
    const std::string_view block = std::string_view(text_).substr(fixedPart);
    if (byteAt(text_, signature.size()) == 0x20) { // LOCAL: whatever the block says
        state_ = State::Complete;
        return;
    }
    std::size_t addresses = 0;
    switch (byteAt(text_, signature.size() + 1)) {
    case 0x00: // unspecified
        break;
    case 0x11:
        addresses = ipv4Block;
        break;
    case 0x21:
        addresses = ipv6Block;
        break;
    case 0x31:
        addresses = unixBlock;
        break;
    default:
        refuse("its PROXY protocol header is of an unknown family or no stream's");
        return;
    }
    if (block.size() < addresses) {
        refuse("its PROXY protocol header is too short for its addresses");
        return;
    }
    if (addresses == ipv4Block) {
        header_.source = {ipv4At(block, 0), numberAt(block, 8)};
        header_.destination = {ipv4At(block, 4), numberAt(block, 10)};
    } else if (addresses == ipv6Block) {
        header_.source = {ipv6At(block, 0), numberAt(block, 32)};
        header_.destination = {ipv6At(block, 16), numberAt(block, 34)};
    }
    header_.extensions = block.substr(addresses);
    state_ = State::Complete;
}

} // namespace halyard
