// The man pages' sections "ERRORS" (man-pages 6.03), and tcp(7).
#include <halyard/testing/faults.h>

#include <cerrno>

#include <netdb.h>

namespace halyard::testing {

std::string_view nameOf(Call call) noexcept {
    static constexpr std::string_view names[callCount] = {
        "accept4",    "operator new", "bind",       "close",       "connect",     "epoll_create1", "epoll_ctl",
        "epoll_wait", "eventfd",      "fcntl",      "getaddrinfo", "getpeername", "getsockname",   "getsockopt",
        "listen",     "pipe2",        "poll",       "read",        "recv",        "recvmsg",       "send",
        "sendfile",   "sendmsg",      "setsockopt", "shutdown",    "socket",      "splice",        "write"};
    return names[static_cast<std::size_t>(call)];
}

std::span<const int> errorsOf(Call call) noexcept {
    static constexpr int accept4[] = {
        EAGAIN,    EBADF,  ECONNABORTED, EFAULT,      EINTR, EINVAL,          EMFILE,          ENFILE,
        ENOBUFS,   ENOMEM, ENOTSOCK,     EOPNOTSUPP,  EPERM, EPROTO,          ENETDOWN,        ENOPROTOOPT,
        EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH, ENOSR, ESOCKTNOSUPPORT, EPROTONOSUPPORT, ETIMEDOUT};
    static constexpr int allocate[] = {ENOMEM};
    static constexpr int bind[] = {EACCES,       EADDRINUSE, EADDRNOTAVAIL, EBADF,   EFAULT,   EINVAL, ELOOP,
                                   ENAMETOOLONG, ENOENT,     ENOMEM,        ENOTDIR, ENOTSOCK, EROFS};
    static constexpr int close[] = {EBADF, EINTR, EIO, ENOSPC, EDQUOT};
    static constexpr int connect[] = {EACCES,   EPERM,       EADDRINUSE,   EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN,
                                      EALREADY, EBADF,       ECONNREFUSED, EFAULT,        EINPROGRESS,  EINTR,
                                      EISCONN,  ENETUNREACH, ENOTSOCK,     EPROTOTYPE,    ETIMEDOUT,    EHOSTUNREACH};
    static constexpr int epollCreate1[] = {EINVAL, EMFILE, ENFILE, ENOMEM};
    static constexpr int epollCtl[] = {EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM};
    static constexpr int epollWait[] = {EBADF, EFAULT, EINTR, EINVAL};
    static constexpr int eventFd[] = {EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM};
    static constexpr int fcntl[] = {EACCES, EAGAIN, EBADF,  EBUSY,  EDEADLK, EFAULT,
                                    EINTR,  EINVAL, EMFILE, ENOLCK, ENOTDIR, EPERM};
    static constexpr int getAddrInfo[] = {EAI_ADDRFAMILY, EAI_AGAIN,    EAI_BADFLAGS, EAI_FAIL,
                                          EAI_FAMILY,     EAI_MEMORY,   EAI_NODATA,   EAI_NONAME,
                                          EAI_SERVICE,    EAI_SOCKTYPE, EAI_SYSTEM};
    static constexpr int getPeerName[] = {EBADF, EFAULT, EINVAL, ENOBUFS, ENOTCONN, ENOTSOCK};
    static constexpr int getSockName[] = {EBADF, EFAULT, EINVAL, ENOBUFS, ENOTSOCK};
    static constexpr int sockOpt[] = {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK};
    static constexpr int listen[] = {EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP};
    static constexpr int pipe2[] = {EFAULT, EINVAL, EMFILE, ENFILE};
    static constexpr int poll[] = {EFAULT, EINTR, EINVAL, ENOMEM};
    static constexpr int read[] = {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR};
    static constexpr int recv[] = {EAGAIN, EBADF,    ECONNREFUSED, EFAULT,     EINTR,     EINVAL,
                                   ENOMEM, ENOTCONN, ENOTSOCK,     ECONNRESET, ETIMEDOUT, EHOSTUNREACH};
    static constexpr int send[] = {EACCES,   EAGAIN,     EALREADY, EBADF,     ECONNRESET,  EDESTADDRREQ, EFAULT,
                                   EINTR,    EINVAL,     EISCONN,  EMSGSIZE,  ENOBUFS,     ENOMEM,       ENOTCONN,
                                   ENOTSOCK, EOPNOTSUPP, EPIPE,    ETIMEDOUT, EHOSTUNREACH};
    static constexpr int sendFile[] = {EAGAIN, EBADF,     EFAULT, EINTR, EINVAL,    EIO,
                                       ENOMEM, EOVERFLOW, ESPIPE, EPIPE, ECONNRESET};
    static constexpr int shutdown[] = {EBADF, EINVAL, ENOTCONN, ENOTSOCK};
    static constexpr int socket[] = {EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT};
    static constexpr int splice[] = {EAGAIN, EBADF, EINTR, EINVAL, ENOMEM, ESPIPE, EPIPE, ECONNRESET};
    static constexpr int write[] = {EAGAIN, EBADF,  EDESTADDRREQ, EDQUOT, EFAULT, EFBIG,
                                    EINTR,  EINVAL, EIO,          ENOSPC, EPERM,  EPIPE};
    switch (call) {
    case Call::Accept4:
        return accept4;
    case Call::Allocate:
        return allocate;
    case Call::Bind:
        return bind;
    case Call::Close:
        return close;
    case Call::Connect:
        return connect;
    case Call::EpollCreate1:
        return epollCreate1;
    case Call::EpollCtl:
        return epollCtl;
    case Call::EpollWait:
        return epollWait;
    case Call::EventFd:
        return eventFd;
    case Call::Fcntl:
        return fcntl;
    case Call::GetAddrInfo:
        return getAddrInfo;
    case Call::GetPeerName:
        return getPeerName;
    case Call::GetSockName:
        return getSockName;
    case Call::GetSockOpt:
    case Call::SetSockOpt:
        return sockOpt;
    case Call::Listen:
        return listen;
    case Call::Pipe2:
        return pipe2;
    case Call::Poll:
        return poll;
    case Call::Read:
        return read;
    case Call::Recv:
    case Call::RecvMsg:
        return recv;
    case Call::Send:
    case Call::SendMsg:
        return send;
    case Call::SendFile:
        return sendFile;
    case Call::Shutdown:
        return shutdown;
    case Call::Socket:
        return socket;
    case Call::Splice:
        return splice;
    case Call::Write:
        return write;
    }
    return {};
}

} // namespace halyard::testing
