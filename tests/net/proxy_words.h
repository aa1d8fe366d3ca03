#pragma once

#include "proxy_handshake.h"

#include <halyard/net/socket_types.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace halyard::test {

/// Bytes with zeros among them, as in `0x05 0x00`.
template <class... Bytes>
std::string bytes(Bytes... each) {
    return {static_cast<char>(each)...};
}

/// What has become of a handshake.
struct Talk {
    std::vector<std::string> said; ///< by this side, one for each answer of the proxy and one more
    std::string left;              ///< of the last answer: not the proxy's words
    ProxyHandshake::State state = ProxyHandshake::State::Talking;
    SocketError error = SocketError::None;
    std::string reason;
    Endpoint address;

    friend bool operator==(const Talk&, const Talk&) = default;
};

inline std::string takeSaid(ProxyHandshake& handshake) {
    const std::string said(handshake.toSend());
    handshake.sent(said.size());
    return said;
}

/// Has the handshake with a proxy that gives these answers, each in pieces of that size but for the first, which has
/// `first` bytes.
inline Talk talk(ProxyHandshake& handshake, const std::vector<std::string>& answers, std::size_t first,
                 std::size_t size) {
    using State = ProxyHandshake::State;
    Talk talk;
    handshake.begin();
    talk.said.push_back(takeSaid(handshake));
    for (const std::string& answer : answers) {
        std::string_view rest = answer;
        std::size_t seen = first;
        while (!rest.empty() && (handshake.state() == State::Talking || handshake.state() == State::Bound)) {
            rest.remove_prefix(handshake.receive(rest.substr(0, seen)));
            if (!handshake.toSend().empty())
                break;
            seen = size;
        }
        if (handshake.state() != State::Failed)
            talk.left = rest;
        if (handshake.state() == State::Again)
            handshake.begin();
        talk.said.push_back(takeSaid(handshake));
    }
    talk.state = handshake.state();
    talk.error = handshake.failure().error;
    talk.reason = handshake.failure().reason;
    talk.address = handshake.address();
    return talk;
}

/// The same for every way to cut the answers in two, and byte by byte: true where all come to the same.
template <class Make>
bool isTheSameInPieces(Make make, const std::vector<std::string>& answers) {
    std::size_t longest = 0;
    for (const std::string& each : answers)
        longest = std::max(longest, each.size());
    auto whole = make();
    const Talk expected = talk(*whole, answers, longest, longest);
    auto bytewise = make();
    if (!(talk(*bytewise, answers, 1, 1) == expected))
        return false;
    for (std::size_t cut = 1; cut < longest; ++cut) {
        auto each = make();
        if (!(talk(*each, answers, cut, longest) == expected))
            return false;
    }
    return true;
}

} // namespace halyard::test
