#pragma once

#include <halyard/signals/export.h>

#include <string>
#include <vector>

namespace halyard {

/// A descriptor that this process was started with.
/// @since 0.1
struct InheritedDescriptor {
    int number = -1;  ///< The descriptor.
    std::string name; ///< What the other side calls it (FileDescriptorName= of a systemd socket); "" where it does not.
};

/// The sockets that whoever started this process has opened for it: systemd for a unit with a socket (socket
/// activation), or the predecessor that hands over (Successor).
///
///     for (const InheritedDescriptor& each : takeInheritedDescriptors())
///         server.setSocketDescriptor(each.number);
///
/// As sd_listen_fds(3) has it, without its library: LISTEN_PID must be this process, LISTEN_FDS and LISTEN_FDNAMES say
/// how many there are, from number 3 on, and their names. They are the caller's from here on, and no child's
/// (FD_CLOEXEC): the three variables are taken out of the environment, so a second call gives none. Empty, too, where
/// the variables are not well formed; then the log says so. To be called before other threads run: they could be
/// looking at the environment.
/// @since 0.1
[[nodiscard]] HALYARD_API std::vector<InheritedDescriptor> takeInheritedDescriptors();

} // namespace halyard
