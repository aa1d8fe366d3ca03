#pragma once

#include <string_view>

namespace echo {

/// Opens what of the three standard streams was closed when the program began, so that no socket gets its
/// number and is taken for it. What is opened cannot be used: reading input and writing output fail, as they
/// should.
void openMissingStreams();

/// Writes all of it to standard output, waiting where that is slow. Throws std::system_error where it fails.
void writeOut(std::string_view bytes);

/// As much of it to standard error as that takes.
void writeError(std::string_view bytes);

/// One sentence on standard error, with the program's name before it.
void complain(std::string_view sentence);

} // namespace echo
