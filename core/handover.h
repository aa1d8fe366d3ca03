#pragma once

namespace halyard {

/// The first descriptor that a program was given (SD_LISTEN_FDS_START in sd_listen_fds(3)).
constexpr int firstInherited = 3;

/// In a successor: the descriptor that it writes to when it serves.
constexpr const char* readyDescriptorVariable = "HALYARD_READY_FD";

} // namespace halyard
