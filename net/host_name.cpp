#include "host_name.h"

#include "words.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include <netdb.h>
#include <sys/socket.h>

namespace halyard {

namespace {

HostAnswer notFound(std::string cause) { return {{}, SocketError::HostNotFound, std::move(cause)}; }

/// Letters, digits, hyphens (RFC 1123 section 2.1), the underscores that hosts files and DNS do have, and whatever is
/// not ASCII: how that is written in DNS is the system's knowledge.
constexpr bool mayStandInName(char c) noexcept {
    return isDigit(c) || (toLower(c) >= 'a' && toLower(c) <= 'z') || c == '-' || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

/// Whether the name, which ends without a dot, is `domain` or below it.
bool isWithin(std::string_view name, std::string_view domain) noexcept {
    if (name.size() < domain.size())
        return false;
    const std::size_t rest = name.size() - domain.size();
    return std::ranges::equal(name.substr(rest), domain, {}, toLower) && (rest == 0 || name[rest - 1] == '.');
}

/// A last part that is a number, also a hexadecimal one, would be taken for an address by getaddrinfo(3) and others
/// (inet_aton(3)), and for different ones. No name ends so (RFC 1123 section 2.1).
bool isNumber(std::string_view part) noexcept {
    if (part.starts_with("0x") || part.starts_with("0X"))
        return std::ranges::all_of(part.substr(2),
                                   [](char c) { return isDigit(c) || (toLower(c) >= 'a' && toLower(c) <= 'f'); });
    return std::ranges::all_of(part, isDigit);
}

/// What is wrong with the form of a name, which ends without a dot; "" where nothing is.
std::string flawOf(std::string_view name) {
    constexpr std::size_t longestName = 253; // in text; 255 in a message (RFC 1035 section 2.3.4)
    constexpr std::size_t longestPart = 63;
    if (name.size() > longestName)
        return "the name is longer than 253 characters";
    if (name.find_first_of(":%[]") != std::string_view::npos)
        return "this is no address, or it is on no interface that this machine has";
    std::string_view part;
    for (std::size_t begin = 0; begin <= name.size(); begin += part.size() + 1) {
        part = name.substr(begin, name.find('.', begin) - begin);
        if (part.empty())
            return "the name has an empty part";
        if (part.size() > longestPart)
            return "the name has a part longer than 63 characters";
        if (!std::ranges::all_of(part, mayStandInName))
            return "the name has a character that no name has";
    }
    return isNumber(part) ? "this is no address, and no name ends in a number" : "";
}

} // namespace

std::optional<HostAnswer> answerWithoutAsking(std::string_view name) {
    if (name.empty())
        return notFound("the name is empty");
    if (const auto address = HostAddress::parse(name))
        return HostAnswer{{*address}, SocketError::None, {}};
    if (name.ends_with('.')) // the root: an absolute name
        name.remove_suffix(1);
    if (std::string flaw = flawOf(name); !flaw.empty())
        return notFound(std::move(flaw));
    if (isWithin(name, "localhost"))
        return HostAnswer{{HostAddress::LocalHostIPv6, HostAddress::LocalHost}, SocketError::None, {}};
    if (isWithin(name, "invalid"))
        return notFound("no name ends in .invalid (RFC 6761)");
    return std::nullopt;
}

std::string printable(std::string_view name) {
    std::string text(name.substr(0, 253)); // no name is longer
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }, '?');
    return text;
}

HostAnswer askSystem(const std::string& name) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM; // one entry an address, not one for each kind of socket
    // Not AI_ADDRCONFIG: it takes a machine that has only its loopback interface for one without any address. What
    // cannot be reached comes last in the answer, and fails at once when it is tried.
    addrinfo* first = nullptr;
    const int status = ::getaddrinfo(name.c_str(), nullptr, &hints, &first);
    const int cause = errno;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, &::freeaddrinfo);
    switch (status) {
    case 0:
        break;
    case EAI_AGAIN:
        return {{}, SocketError::Temporary, ::gai_strerror(status)};
    case EAI_MEMORY:
        return {{}, SocketError::SocketResource, ::gai_strerror(status)};
    case EAI_SYSTEM:
        return {{}, socketErrorFromErrno(cause), std::generic_category().message(cause)};
    default:
        return notFound(::gai_strerror(status));
    }
    HostAnswer answer;
    for (const addrinfo* entry = first; entry != nullptr; entry = entry->ai_next) {
        const HostAddress address(entry->ai_addr);
        if (!address.isNull() && std::ranges::find(answer.addresses, address) == answer.addresses.end())
            answer.addresses.push_back(address);
    }
    return answer.addresses.empty() ? notFound("the name has no address") : answer;
}

} // namespace halyard
