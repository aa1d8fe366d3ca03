#pragma once

#include <halyard/net/endpoint.h>

#include <optional>
#include <string>

namespace echo {

/// Sends the text, or else all of standard input, writes what comes back to standard output, and compares the
/// two. Gives the exit code.
int send(const halyard::Endpoint& where, const std::optional<std::string>& text);

} // namespace echo
