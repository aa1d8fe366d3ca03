#include "http_connect_handshake.h"

#include "words.h"

#include <halyard/net/host_address.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace halyard {

namespace {

constexpr std::string_view begins = "HTTP/1.";

std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// Whether a list (RFC 9110 section 5.6.1) has an element that begins with this word; what stands in quotes is none.
bool lists(std::string_view list, std::string_view word) noexcept {
    bool inQuotes = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= list.size(); ++i) {
        if (i < list.size() && list[i] == '"')
            inQuotes = !inQuotes;
        else if (inQuotes && i < list.size() && list[i] == '\\')
            ++i;
        if (i < list.size() && (inQuotes || list[i] != ','))
            continue;
        const std::string_view element = trimmed(list.substr(begin, std::min(i, list.size()) - begin));
        if (isSame(element.substr(0, element.find_first_of(" \t")), word))
            return true;
        begin = i + 1;
        if (begin > list.size())
            break;
    }
    return false;
}

/// RFC 4648 section 4.
std::string base64(std::string_view bytes) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = 0; j != 3; ++j)
            group = group << 8U | (i + j < bytes.size() ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j != 4; ++j)
            text.push_back(i + j > bytes.size() ? '=' : letters[group >> (18 - 6 * j) & 63U]);
    }
    return text;
}

std::string authorityOf(std::string_view host, std::uint16_t port) {
    auto address = HostAddress::parse(host);
    const std::string suffix = ':' + std::to_string(port);
    if (!address || address->protocol() != HostAddress::Protocol::IPv6)
        return std::string(host) + suffix;
    address->setScopeId(0); // which means something on this machine only
    return '[' + address->toString() + ']' + suffix;
}

} // namespace

HttpConnectHandshake::HttpConnectHandshake(std::string_view host, std::uint16_t port, std::string user,
                                           std::string password)
    : authority_(authorityOf(host, port)), user_(std::move(user)), password_(std::move(password)) {}

void HttpConnectHandshake::begin() {
    mayLinger_ = false;
    request();
}

void HttpConnectHandshake::request() {
    std::string words = "CONNECT " + authority_ + " HTTP/1.1\r\nHost: " + authority_ +
                        "\r\nUser-Agent: halyard\r\nProxy-Connection: keep-alive\r\n";
    if (isAuthorized_)
        words += "Proxy-Authorization: Basic " + base64(user_ + ':' + password_) + "\r\n";
    say(words + "\r\n");
    answer_ = {};
    line_.clear();
    headSize_ = 0;
    isAnswered_ = false;
}

void HttpConnectHandshake::ended() {
    // A connection that should have lasted may be closed all the same (RFC 9112 section 9.5).
    if (body_ != 0 || (mayLinger_ && !isAnswered_)) {
        body_ = 0;
        become(State::Again);
    } else {
        ProxyHandshake::ended();
    }
}

std::size_t HttpConnectHandshake::take(std::string_view bytes) {
    isAnswered_ = true;
    if (body_ != 0) {
        const std::size_t count = std::min(bytes.size(), body_);
        body_ -= count;
        if (body_ == 0)
            request();
        return count;
    }
    const std::size_t end = bytes.find('\n');
    const std::size_t count = end != std::string_view::npos ? end + 1 : bytes.size();
    headSize_ += count;
    if (line_.size() + count > longestLine || headSize_ > longestHead) {
        fail(SocketError::ProxyProtocol, "its answer is too long");
        return count;
    }
    line_.append(bytes.substr(0, count));
    const bool isFirst = answer_.status == 0;
    if (isFirst && !begins.starts_with(std::string_view(line_).substr(0, begins.size()))) {
        fail(SocketError::ProxyProtocol, "it does not speak HTTP");
        return count;
    }
    if (end == std::string_view::npos)
        return count;
    line_.pop_back();
    if (line_.ends_with('\r'))
        line_.pop_back();
    if (line_.empty() && !isFirst)
        conclude();
    else if (!(isFirst ? lookAtStatus() : lookAtField()))
        fail(SocketError::ProxyProtocol, "its answer is no HTTP");
    line_.clear();
    return count;
}

/// RFC 9112 section 4: "HTTP/1.1 200 Connection established". The words behind the number are for nobody.
bool HttpConnectHandshake::lookAtStatus() {
    const std::string_view line = line_;
    constexpr std::size_t statusAt = begins.size() + 2;
    constexpr std::size_t statusEnd = statusAt + 3;
    if (line.size() < statusEnd || !line.starts_with(begins) || !isDigit(line[begins.size()]) ||
        line[statusAt - 1] != ' ' || !std::ranges::all_of(line.substr(statusAt, 3), isDigit) || line[statusAt] == '0' ||
        (line.size() > statusEnd && line[statusEnd] != ' '))
        return false;
    answer_.isOld = line[begins.size()] == '0';
    std::from_chars(line.data() + statusAt, line.data() + statusEnd, answer_.status);
    return true;
}

/// RFC 9112 section 5; a line that begins with a blank goes on with the one before, which is none that counts here.
bool HttpConnectHandshake::lookAtField() {
    const std::string_view line = line_;
    if (line.front() == ' ' || line.front() == '\t')
        return true;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
        return false;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (isSame(name, "Connection") || isSame(name, "Proxy-Connection")) {
        answer_.closes = answer_.closes || lists(value, "close");
        answer_.keepsAlive = answer_.keepsAlive || lists(value, "keep-alive");
    } else if (isSame(name, "Transfer-Encoding")) {
        answer_.isCoded = true;
    } else if (isSame(name, "Proxy-Authenticate")) {
        answer_.offersBasic = answer_.offersBasic || lists(value, "Basic");
    } else if (isSame(name, "Content-Length")) {
        const auto size = parseNumber<std::size_t>(value);
        if (!size || (answer_.bodySize && answer_.bodySize != size))
            answer_.closes = true; // nobody knows where it ends
        answer_.bodySize = size.value_or(0);
    }
    return true;
}

/// The head of an answer is complete.
void HttpConnectHandshake::conclude() {
    const int status = answer_.status;
    if (status / 100 == 2) {
        // Whatever it says of a body: there is none (RFC 9110 section 9.3.6).
        become(State::Stands);
    } else if (status / 100 == 1 && status != 101) {
        answer_ = {}; // provisional: the answer follows (RFC 9110 section 15.2)
    } else if (status == 407) {
        authenticate();
    } else {
        const std::string reason = "it answered with status " + std::to_string(status);
        switch (status) {
        case 401: // tinyproxy's for a wrong password
            fail(SocketError::ProxyAuthenticationRequired, reason + ": it does not take the user name or the password");
            break;
        case 403:
        case 405:
            fail(SocketError::SocketAccess, reason + ": it does not allow that");
            break;
        case 404:
            fail(SocketError::HostNotFound, reason + ": it does not find that host");
            break;
        case 503:
            fail(SocketError::ConnectionRefused, reason + ": it could not connect");
            break;
        default:
            fail(SocketError::ProxyProtocol, reason);
        }
    }
}

void HttpConnectHandshake::authenticate() {
    if (isAuthorized_) {
        fail(SocketError::ProxyAuthenticationRequired, "it rejected the user name or the password");
        return;
    }
    if (user_.empty() && password_.empty()) {
        fail(SocketError::ProxyAuthenticationRequired, "it wants to know who asks, and no user name is set");
        return;
    }
    if (!answer_.offersBasic) {
        fail(SocketError::ProxyAuthenticationRequired, "it wants another authentication than Basic");
        return;
    }
    isAuthorized_ = true;
    mayLinger_ = !answer_.closes && (!answer_.isOld || answer_.keepsAlive) && !answer_.isCoded && answer_.bodySize &&
                 *answer_.bodySize <= longestBody;
    if (!mayLinger_) {
        become(State::Again);
        return;
    }
    body_ = *answer_.bodySize;
    if (body_ == 0)
        request();
}

} // namespace halyard
