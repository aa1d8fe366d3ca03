#include "socks5_handshake.h"

#include <halyard/net/host_address.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace halyard {

namespace {

constexpr std::uint8_t version = 5;
constexpr std::uint8_t authenticationVersion = 1; // RFC 1929 section 2

enum Method : std::uint8_t { NoAuthentication = 0, UserAndPassword = 2, NoneAcceptable = 0xff };
enum AddressType : std::uint8_t { IPv4 = 1, Name = 3, IPv6 = 4 };

// RFC 1928 section 6: VER REP RSV ATYP, BND.ADDR, BND.PORT.
constexpr std::size_t typeAt = 3;
constexpr std::size_t addressAt = 4;
constexpr std::size_t portSize = 2;
constexpr std::size_t upToFirstOfAddress = addressAt + 1; // which is the length of a name

char toByte(std::size_t value) noexcept { return static_cast<char>(static_cast<std::uint8_t>(value)); }

void appendText(std::string& words, const std::string& text) {
    words.push_back(toByte(text.size()));
    words.append(text);
}

} // namespace

Socks5Handshake::Socks5Handshake(Command command, std::string host, std::uint16_t port, std::string user,
                                 std::string password)
    : command_(command), port_(port), host_(std::move(host)), user_(std::move(user)), password_(std::move(password)) {}

void Socks5Handshake::begin() {
    if (hasCredentials())
        say({toByte(version), 2, NoAuthentication, UserAndPassword});
    else
        say({toByte(version), 1, NoAuthentication});
    expect(Step::Method);
    isBound_ = false;
}

void Socks5Handshake::expect(Step step) noexcept {
    step_ = step;
    message_.clear();
    wanted_ = step == Step::Reply ? upToFirstOfAddress : 2;
}

void Socks5Handshake::request() {
    std::string words{toByte(version), toByte(static_cast<std::uint8_t>(command_)), 0};
    const auto address = HostAddress::parse(host_);
    if (!address) {
        words.push_back(Name);
        appendText(words, host_);
    } else if (const auto number = address->toIPv4(); number && address->protocol() != HostAddress::Protocol::Any) {
        words.push_back(IPv4);
        for (const unsigned shift : {24U, 16U, 8U, 0U})
            words.push_back(toByte(*number >> shift));
    } else {
        words.push_back(IPv6);
        for (const std::uint8_t each : address->toIPv6())
            words.push_back(toByte(each));
    }
    words.push_back(toByte(port_ >> 8U));
    words.push_back(toByte(port_));
    say(std::move(words));
    expect(Step::Reply);
}

std::size_t Socks5Handshake::take(std::string_view bytes) {
    const std::size_t count = std::min(bytes.size(), wanted_ - message_.size());
    message_.append(bytes.substr(0, count));
    bool isWell = false;
    switch (step_) {
    case Step::Method:
        isWell = lookAtMethod();
        break;
    case Step::Authentication:
        isWell = lookAtAuthentication();
        break;
    case Step::Reply:
        isWell = lookAtReply();
        break;
    }
    if (!isWell)
        fail(SocketError::ProxyProtocol, "it does not speak SOCKS version 5");
    return count;
}

// Each looks at what there is of a message, and is false where that is none of this protocol.

bool Socks5Handshake::lookAtMethod() {
    if (at(0) != version)
        return false;
    if (message_.size() < 2)
        return true;
    switch (at(1)) {
    case NoAuthentication:
        request();
        return true;
    case UserAndPassword: {
        if (!hasCredentials())
            return false;
        std::string words{toByte(authenticationVersion)};
        appendText(words, user_);
        appendText(words, password_);
        say(std::move(words));
        expect(Step::Authentication);
        return true;
    }
    case NoneAcceptable:
        fail(SocketError::ProxyAuthenticationRequired, hasCredentials()
                                                           ? "it takes neither a user name and a password nor none"
                                                           : "it wants to know who asks, and no user name is set");
        return true;
    default:
        return false;
    }
}

bool Socks5Handshake::lookAtAuthentication() {
    if (at(0) != authenticationVersion)
        return false;
    if (message_.size() < 2)
        return true;
    if (at(1) == 0)
        request();
    else
        fail(SocketError::ProxyAuthenticationRequired, "it rejected the user name or the password");
    return true;
}

bool Socks5Handshake::lookAtReply() {
    if (at(0) != version)
        return false;
    if (message_.size() < 2)
        return true;
    if (at(1) != 0) {
        refused(at(1));
        return true;
    }
    if (message_.size() < upToFirstOfAddress)
        return true;
    const std::size_t nameSize = at(addressAt);
    switch (at(typeAt)) {
    case IPv4:
        wanted_ = addressAt + 4 + portSize;
        break;
    case IPv6:
        wanted_ = addressAt + 16 + portSize;
        break;
    case Name:
        wanted_ = upToFirstOfAddress + nameSize + portSize;
        break;
    default:
        return false;
    }
    if (message_.size() < wanted_)
        return true;
    Endpoint where;
    where.port = static_cast<std::uint16_t>(at(wanted_ - 2) << 8U | at(wanted_ - 1));
    if (at(typeAt) == IPv4) {
        std::uint32_t number = 0;
        for (std::size_t i = 0; i != 4; ++i)
            number = number << 8U | at(addressAt + i);
        where.address = HostAddress(number);
    } else if (at(typeAt) == IPv6) {
        std::array<std::uint8_t, 16> bytes{};
        for (std::size_t i = 0; i != bytes.size(); ++i)
            bytes[i] = at(addressAt + i);
        where.address = HostAddress(std::span<const std::uint8_t, 16>(bytes));
    } else if (const auto address =
                   HostAddress::parse(std::string_view(message_).substr(upToFirstOfAddress, nameSize))) {
        where.address = *address;
    }
    // A BIND is answered twice: where the proxy listens, and who has come (RFC 1928 section 6).
    const bool isFirstOfTwo = command_ == Command::Bind && !isBound_;
    isBound_ = isFirstOfTwo;
    expect(Step::Reply);
    become(isFirstOfTwo ? State::Bound : State::Stands, where);
    return true;
}

void Socks5Handshake::refused(std::uint8_t reply) {
    // RFC 1928 section 6, from 1 on.
    struct Refusal {
        SocketError error;
        const char* reason;
    };
    constexpr std::array refusals{
        Refusal{SocketError::Network, "it failed, and says no more"},
        Refusal{SocketError::SocketAccess, "its rules do not allow that"},
        Refusal{SocketError::Network, "it has no way to that network"},
        Refusal{SocketError::HostNotFound, "it does not find or reach that host"},
        Refusal{SocketError::ConnectionRefused, "the connection behind it was refused"},
        Refusal{SocketError::Network, "the way behind it was too long"},
        Refusal{SocketError::UnsupportedSocketOperation, "it cannot do that"},
        Refusal{SocketError::UnsupportedSocketOperation, "it cannot do that with this kind of address"},
    };
    if (reply <= refusals.size())
        fail(refusals[reply - 1U].error, refusals[reply - 1U].reason);
    else
        fail(SocketError::Unknown, "it failed with the unknown reply " + std::to_string(reply));
}

} // namespace halyard
