#pragma once

#include <halyard/net/host_lookup.h>

#include <optional>
#include <string>
#include <string_view>

namespace halyard {

/// The answer for a name that nobody needs to be asked about: an address, one that RFC 6761 reserves, or something
/// that can be no name. Nothing for all others.
std::optional<HostAnswer> answerWithoutAsking(std::string_view name);

/// A name that may be anything, as it may stand in a sentence: no control characters, and an end.
std::string printable(std::string_view name);

/// Asks getaddrinfo(3), which blocks.
HostAnswer askSystem(const std::string& name);

} // namespace halyard
