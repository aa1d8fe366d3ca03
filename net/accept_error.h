#pragma once

#include <cerrno>

namespace halyard {

/// What a failed accept(2) means for the server.
enum class AcceptOutcome {
    Empty,     ///< no client waits
    OneClient, ///< this client is lost, the next may be well
    Unknown,   ///< whether the listener is well is not known yet
    Moved,     ///< no client waits, and they now come to another address than before
    Exhausted, ///< the system has nothing left to give; that ends
    Fatal,     ///< the listener itself is not well
};

/// The errno values of accept(2), sorted once; with some that it never gives, for listeners that are none of the
/// system's.
constexpr AcceptOutcome sortAcceptError(int error) noexcept {
    switch (error) {
    case EAGAIN: // the backlog is empty
        return AcceptOutcome::Empty;
    case EINPROGRESS: // a proxy is asked to listen
        return AcceptOutcome::Unknown;
    case EADDRNOTAVAIL: // a proxy listens, at an address of its own
        return AcceptOutcome::Moved;
    case EINTR:        // a signal came first
    case ECONNABORTED: // the client gave up while it waited
    case EPROTO:       // the same, as System V says it
    case EPERM:        // a firewall rule refuses this client
    case ENETDOWN:     // accept(2), "Error handling": errors of the new connection's network come here
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
        return AcceptOutcome::OneClient;
    case ECONNRESET: // the proxy that listened is lost, and will be asked anew
    case EMFILE:     // the process has no descriptor left
    case ENFILE:     // the system has none
    case ENOBUFS:    // no memory for socket buffers
    case ENOMEM:
        return AcceptOutcome::Exhausted;
    default: // EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP: no listener
        return AcceptOutcome::Fatal;
    }
}

} // namespace halyard
