#pragma once

#include <halyard/net/endpoint.h>
#include <halyard/signals/export.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halyard {

/// What a balancer says about a connection that it passes on: the header of the PROXY protocol, version 1 or 2.
/// @since 0.1
struct ProxyHeader {
    /// Who connected to the balancer, and where; null where the balancer speaks for itself (a health check: LOCAL) or
    /// does not say (UNKNOWN, or neither IPv4 nor IPv6): then the connection's own addresses hold.
    Endpoint source;
    Endpoint destination;   ///< Where the client connected to; null where the header does not say.
    std::string extensions; ///< Version 2's TLV vectors, as they came.

    /// The value of the first extension of this type (2 is the host name that the client asked for, 5 a unique id);
    /// nothing where there is none. Valid as long as the header.
    [[nodiscard]] HALYARD_API std::optional<std::string_view> extension(std::uint8_t type) const noexcept;
};

/// Reads the header at the beginning of a connection, piece by piece, and not a byte of what follows it.
///
///     ProxyHeaderParser parser;
///     const std::size_t header = parser.consume(bytes);
///     if (parser.state() == ProxyHeaderParser::State::Complete)
///         begin(parser.header().source, bytes.substr(header));
///
/// Both versions are taken, as the first bytes have it (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt).
/// Whether there is a header is never guessed: its absence is invalid. Only a header of whoever is trusted says
/// anything: ProxyProtocolServer asks that first.
///
/// What the document leaves open or forbids is invalid: other commands, families and transports than it names, spaces,
/// signs and leading zeros in version 1, addresses that are shorter than their family.
/// @since 0.1
class HALYARD_API ProxyHeaderParser {
  public:
    /// Whether more is needed.
    enum class State : std::uint8_t { Incomplete, Complete, Invalid };

    /// A header of version 2 that is longer than `maxLength` is invalid; one of version 1 has at most 107 bytes.
    explicit ProxyHeaderParser(std::size_t maxLength = 4096) noexcept : maxLength_(maxLength) {}

    /// Takes the bytes that come next; gives how many of them are the header's. Once it is not Incomplete it takes
    /// none.
    std::size_t consume(std::string_view bytes);

    [[nodiscard]] State state() const noexcept { return state_; }                ///< After all that was given to it.
    [[nodiscard]] const ProxyHeader& header() const noexcept { return header_; } ///< Once Complete.
    [[nodiscard]] std::string_view error() const noexcept { return error_; } ///< What is Invalid about it, for people.

  private:
    std::size_t wanted(std::string_view bytes) const noexcept;
    void look();
    void lookAtLine();
    void lookAtBinary();
    bool readLine(std::string_view line);
    void readBinary();
    void refuse(std::string_view why) noexcept;

    std::size_t maxLength_;
    std::string text_; ///< of the header, so far
    ProxyHeader header_;
    std::string_view error_;
    State state_ = State::Incomplete;
};

} // namespace halyard
