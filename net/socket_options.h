#pragma once

#include <halyard/net/socket_types.h>

#include <optional>
#include <utility>
#include <vector>

namespace halyard {

/// The options that a socket was given, kept for the descriptors that it is going to have.
class SocketOptions {
  public:
    /// Sets an option of a descriptor: 0 or errno (EINVAL for a value that cannot be).
    static int setAt(int descriptor, SocketOption option, int value) noexcept;
    static std::optional<int> at(int descriptor, SocketOption option) noexcept;

    void remember(SocketOption option, int value);
    std::optional<int> remembered(SocketOption option) const noexcept;
    /// Sets all that are remembered; 0, or the errno of the first that could not be.
    int applyTo(int descriptor) const noexcept;

  private:
    std::vector<std::pair<SocketOption, int>> all_;
};

} // namespace halyard
