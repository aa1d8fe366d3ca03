#pragma once

#include <stdexcept>

namespace echo {

/// A command line that cannot be meant; a sentence says why.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

} // namespace echo
