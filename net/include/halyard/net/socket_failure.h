#pragma once

#include <halyard/net/socket_types.h>

#include <cstdint>
#include <string>

namespace halyard {

/// What went wrong with a socket last, small enough to be kept in each of them: the sentence is made when somebody
/// asks for it.
struct SocketFailure {
    /// The operation that failed.
    enum class What : std::uint8_t {
        Nothing,
        Lookup,          ///< the host was not found
        Connect,         ///< the connection could not be made
        Proxy,           ///< nor by the proxy that stands between
        Broken,          ///< it broke: the peer reset it, or the network did
        Closed,          ///< the peer has ended it in order
        NotConnected,    ///< a call that needs a connection
        WritingIsOver,   ///< a write after shutdownWrite()
        WriteBufferFull, ///< a write over the limit
        Unsent,          ///< a call that needs an empty write buffer
        InUse,           ///< a call that needs an unconnected socket
        Descriptor,      ///< a descriptor that is no connected stream socket
        Bind,            ///< the address could not be had
        Option,          ///< the option could not be set
        File,            ///< a file that cannot be sent
        Wait,            ///< the time to wait is over
        ConnectWait,     ///< the same, and the connecting is given up
        ReadTimeout,     ///< the peer was silent for too long
        WriteTimeout,    ///< the peer took nothing for too long
        ClosingTimeout,  ///< the peer did not take in time what was to be sent before the end
    };

    /// For people; `who` is the peer, or the address that was to be bound, or the whole sentence for Lookup,
    /// or the peer and what is wrong for Proxy.
    std::string sentence(const std::string& who) const;

    int cause = 0;                         ///< errno
    SocketError error = SocketError::None; ///< What the socket's error() says.
    What what = What::Nothing;             ///< The operation.
};

} // namespace halyard
