#pragma once

#include <halyard/core/fd_notifier.h>
#include <halyard/core/object.h>

#include <array>
#include <optional>
#include <string_view>

namespace echo {

/// Standard input, read in pieces when it is convenient.
///
/// A pipe or a terminal is watched, and `readable` tells when to go on. A regular file cannot be watched and
/// need not be: there is always something to read from it, or its end.
class StandardInput : public halyard::Object {
  public:
    StandardInput();
    /// Sets back what watching has changed: the shell goes on with the same open file.
    ~StandardInput() override;

    /// The next piece, valid until the next call: empty at the end, nothing where there is nothing right now.
    /// Throws std::system_error where reading fails.
    std::optional<std::string_view> read();

    /// Whether `readable` is wanted; at first it is not.
    void setWatched(bool watched);

    halyard::Signal<> readable{this};

  private:
    int flags_; ///< of the open file, before it was watched
    halyard::FdNotifier notifier_;
    bool canBeWatched_;
    std::array<char, 64 * 1024> piece_;
};

} // namespace echo
