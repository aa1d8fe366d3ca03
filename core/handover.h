#pragma once

namespace halyard {

/// In a successor: the descriptor that it writes to when it serves.
constexpr const char* readyDescriptorVariable = "HALYARD_READY_FD";

} // namespace halyard
