#pragma once

#include "echo_loop.h"
#include "inheritance.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace echo {

/// Opens every address for every loop: where something was inherited for it, that is used; loops that have none of
/// their own accept from the same socket. Gives what went wrong, in a sentence.
std::optional<std::string> listenEverywhere(const std::vector<std::unique_ptr<EchoLoop>>& loops,
                                            const ServeOptions& options, Inheritance& inheritance);

} // namespace echo
