#pragma once

#include "pump.h"
#include <plain_socket.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace halyard::test {

/// A client whose sends and receptions give up when patience() is over.
inline PlainSocket connectPatiently(std::uint16_t port) {
    PlainSocket socket = PlainSocket::connectedTo(port);
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(patience());
    const timeval limit{seconds.count(), 0};
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return socket;
}

/// How the server calls this client.
inline std::string nameOf(const PlainSocket& client) { return "127.0.0.1:" + std::to_string(client.port()); }

/// The line with which the server tells of this client's end, when nothing went wrong.
inline std::string closed(const PlainSocket& client, std::size_t bytes) {
    return nameOf(client) + " closed the connection (" + std::to_string(bytes) + " bytes echoed)";
}

/// Bytes without an end that differ from what stands near them, so that nothing is lost, doubled or swapped
/// unseen.
class Pattern {
  public:
    Pattern() {
        std::uint32_t state = 1;
        for (char& each : bytes_) {
            state = state * 1664525 + 1013904223;
            each = static_cast<char>(state >> 24);
        }
    }

    /// A piece of it from `offset` on, as long as it is at hand.
    std::string_view at(std::size_t offset, std::size_t atMost) const {
        return std::string_view(bytes_).substr(offset % period, atMost);
    }

    std::string make(std::size_t size) const {
        std::string text;
        while (text.size() < size)
            text.append(at(text.size(), size - text.size()));
        return text;
    }

    bool isAt(std::size_t offset, std::string_view bytes) const {
        while (!bytes.empty()) {
            const std::string_view wanted = at(offset, bytes.size());
            if (!bytes.starts_with(wanted))
                return false;
            offset += wanted.size();
            bytes.remove_prefix(wanted.size());
        }
        return true;
    }

  private:
    static constexpr std::size_t period = 65521; // a prime: no buffer's size
    std::string bytes_ = std::string(period, '\0');
};

} // namespace halyard::test
