#pragma once

#include <halyard/net/socket_types.h>

#include <string>

namespace halyard {

/// Why an engine failed, where an errno value says too little.
struct EngineFailure {
    SocketError error = SocketError::None;
    std::string reason; ///< for people; to stand after "cannot connect to ...: "
};

} // namespace halyard
