// Functions under the names of the C library's (by their labels: the headers' declarations of those differ from system
// to system). The dynamic linker finds them first, for they are in the program.
#include "interposed.h"

#include <array>
#include <limits>

#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

namespace halyard::testing {

void linkSystemCalls() noexcept {}

namespace {

/// What of a message may go: the vectors are cut.
class Shortened {
  public:
    Shortened(const msghdr& message, std::size_t most) noexcept : message_(message) {
        std::size_t count = 0;
        for (; count != vectors_.size() && count != message.msg_iovlen && most != 0; ++count) {
            vectors_[count] = message.msg_iov[count];
            vectors_[count].iov_len = std::min(vectors_[count].iov_len, most);
            most -= vectors_[count].iov_len;
        }
        message_.msg_iov = vectors_.data();
        message_.msg_iovlen = count;
    }
    msghdr& message() noexcept { return message_; }

  private:
    msghdr message_;
    std::array<iovec, 64> vectors_;
};

constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

} // namespace

extern "C" {

// --- sockets ---

int interposedSocket(int family, int type, int protocol) noexcept __asm__("socket");
int interposedSocket(int family, int type, int protocol) noexcept {
    static constinit Next<int(int, int, int)> next("socket");
    return Interposed::unlessFailed(Call::Socket, [&] { return next(family, type, protocol); });
}

int interposedBind(int fd, const sockaddr* name, socklen_t size) noexcept __asm__("bind");
int interposedBind(int fd, const sockaddr* name, socklen_t size) noexcept {
    static constinit Next<int(int, const sockaddr*, socklen_t)> next("bind");
    return Interposed::unlessFailed(Call::Bind, [&] { return next(fd, name, size); });
}

int interposedListen(int fd, int backlog) noexcept __asm__("listen");
int interposedListen(int fd, int backlog) noexcept {
    static constinit Next<int(int, int)> next("listen");
    return Interposed::unlessFailed(Call::Listen, [&] { return next(fd, backlog); });
}

int interposedAccept(int fd, sockaddr* name, socklen_t* size) noexcept __asm__("accept");
int interposedAccept(int fd, sockaddr* name, socklen_t* size) noexcept {
    static constinit Next<int(int, sockaddr*, socklen_t*)> next("accept");
    return Interposed::unlessFailed(Call::Accept4, [&] { return next(fd, name, size); });
}

int interposedAccept4(int fd, sockaddr* name, socklen_t* size, int flags) noexcept __asm__("accept4");
int interposedAccept4(int fd, sockaddr* name, socklen_t* size, int flags) noexcept {
    static constinit Next<int(int, sockaddr*, socklen_t*, int)> next("accept4");
    return Interposed::unlessFailed(Call::Accept4, [&] { return next(fd, name, size, flags); });
}

int interposedConnect(int fd, const sockaddr* name, socklen_t size) noexcept __asm__("connect");
int interposedConnect(int fd, const sockaddr* name, socklen_t size) noexcept {
    static constinit Next<int(int, const sockaddr*, socklen_t)> next("connect");
    const int error = Interposed::judge(Call::Connect).error;
    if (error == 0)
        return next(fd, name, size);
    if (error == EINPROGRESS && next(fd, name, size) != 0)
        return -1; // with whatever happened
    errno = error;
    return -1;
}

int interposedShutdown(int fd, int how) noexcept __asm__("shutdown");
int interposedShutdown(int fd, int how) noexcept {
    static constinit Next<int(int, int)> next("shutdown");
    return Interposed::unlessFailed(Call::Shutdown, [&] { return next(fd, how); });
}

int interposedGetPeerName(int fd, sockaddr* name, socklen_t* size) noexcept __asm__("getpeername");
int interposedGetPeerName(int fd, sockaddr* name, socklen_t* size) noexcept {
    static constinit Next<int(int, sockaddr*, socklen_t*)> next("getpeername");
    return Interposed::unlessFailed(Call::GetPeerName, [&] { return next(fd, name, size); });
}

int interposedGetSockName(int fd, sockaddr* name, socklen_t* size) noexcept __asm__("getsockname");
int interposedGetSockName(int fd, sockaddr* name, socklen_t* size) noexcept {
    static constinit Next<int(int, sockaddr*, socklen_t*)> next("getsockname");
    return Interposed::unlessFailed(Call::GetSockName, [&] { return next(fd, name, size); });
}

int interposedGetSockOpt(int fd, int level, int option, void* value, socklen_t* size) noexcept __asm__("getsockopt");
int interposedGetSockOpt(int fd, int level, int option, void* value, socklen_t* size) noexcept {
    static constinit Next<int(int, int, int, void*, socklen_t*)> next("getsockopt");
    return Interposed::unlessFailed(Call::GetSockOpt, [&] { return next(fd, level, option, value, size); });
}

int interposedSetSockOpt(int fd, int level, int option, const void* value, socklen_t size) noexcept
    __asm__("setsockopt");
int interposedSetSockOpt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
    static constinit Next<int(int, int, int, const void*, socklen_t)> next("setsockopt");
    return Interposed::unlessFailed(Call::SetSockOpt, [&] { return next(fd, level, option, value, size); });
}

// --- bytes ---

ssize_t interposedRecv(int fd, void* into, std::size_t size, int flags) noexcept __asm__("recv");
ssize_t interposedRecv(int fd, void* into, std::size_t size, int flags) noexcept {
    static constinit Next<ssize_t(int, void*, std::size_t, int)> next("recv");
    return Interposed::transfer(Call::Recv, size, [&](std::size_t most) { return next(fd, into, most, flags); });
}

/// By which Halyard's sockets receive and send; whatever else it is asked for goes through.
long interposedSyscall(long number, long a, long b, long c, long d, long e, long f) noexcept __asm__("syscall");
long interposedSyscall(long number, long a, long b, long c, long d, long e, long f) noexcept {
    static constinit Next<long(long, long, long, long, long, long, long)> next("syscall");
    if (number != SYS_recvfrom && number != SYS_sendto)
        return next(number, a, b, c, d, e, f);
    const Call call = number == SYS_recvfrom ? Call::Recv : Call::Send;
    return Interposed::transfer(call, static_cast<std::size_t>(c),
                                [&](std::size_t most) { return next(number, a, b, static_cast<long>(most), d, e, f); });
}

/// What recv(2) is compiled to with -D_FORTIFY_SOURCE, where the room is known.
ssize_t interposedRecvChecked(int fd, void* into, std::size_t size, std::size_t room, int flags) noexcept
    __asm__("__recv_chk");
ssize_t interposedRecvChecked(int fd, void* into, std::size_t size, std::size_t room, int flags) noexcept {
    static constinit Next<ssize_t(int, void*, std::size_t, std::size_t, int)> next("__recv_chk");
    return Interposed::transfer(Call::Recv, size, [&](std::size_t most) { return next(fd, into, most, room, flags); });
}

ssize_t interposedRecvFrom(int fd, void* into, std::size_t size, int flags, sockaddr* name,
                           socklen_t* nameSize) noexcept __asm__("recvfrom");
ssize_t interposedRecvFrom(int fd, void* into, std::size_t size, int flags, sockaddr* name,
                           socklen_t* nameSize) noexcept {
    static constinit Next<ssize_t(int, void*, std::size_t, int, sockaddr*, socklen_t*)> next("recvfrom");
    return Interposed::transfer(Call::Recv, size,
                                [&](std::size_t most) { return next(fd, into, most, flags, name, nameSize); });
}

ssize_t interposedRecvMsg(int fd, msghdr* message, int flags) noexcept __asm__("recvmsg");
ssize_t interposedRecvMsg(int fd, msghdr* message, int flags) noexcept {
    static constinit Next<ssize_t(int, msghdr*, int)> next("recvmsg");
    return Interposed::transfer(Call::RecvMsg, whole, [&](std::size_t most) {
        if (most == whole)
            return next(fd, message, flags);
        Shortened part(*message, most);
        const ssize_t received = next(fd, &part.message(), flags);
        message->msg_namelen = part.message().msg_namelen;
        message->msg_controllen = part.message().msg_controllen;
        message->msg_flags = part.message().msg_flags;
        return received;
    });
}

ssize_t interposedSend(int fd, const void* from, std::size_t size, int flags) noexcept __asm__("send");
ssize_t interposedSend(int fd, const void* from, std::size_t size, int flags) noexcept {
    static constinit Next<ssize_t(int, const void*, std::size_t, int)> next("send");
    return Interposed::transfer(Call::Send, size, [&](std::size_t most) { return next(fd, from, most, flags); });
}

ssize_t interposedSendTo(int fd, const void* from, std::size_t size, int flags, const sockaddr* name,
                         socklen_t nameSize) noexcept __asm__("sendto");
ssize_t interposedSendTo(int fd, const void* from, std::size_t size, int flags, const sockaddr* name,
                         socklen_t nameSize) noexcept {
    static constinit Next<ssize_t(int, const void*, std::size_t, int, const sockaddr*, socklen_t)> next("sendto");
    return Interposed::transfer(Call::Send, size,
                                [&](std::size_t most) { return next(fd, from, most, flags, name, nameSize); });
}

ssize_t interposedSendMsg(int fd, const msghdr* message, int flags) noexcept __asm__("sendmsg");
ssize_t interposedSendMsg(int fd, const msghdr* message, int flags) noexcept {
    static constinit Next<ssize_t(int, const msghdr*, int)> next("sendmsg");
    return Interposed::transfer(Call::SendMsg, whole, [&](std::size_t most) {
        if (most == whole)
            return next(fd, message, flags);
        Shortened part(*message, most);
        return next(fd, const_cast<const msghdr*>(&part.message()), flags);
    });
}

/// Whether the offsets of the program's files are called off64_t or off_t: on 64-bit systems they are the same.
ssize_t interposedSendFile(int to, int file, off_t* offset, std::size_t size) noexcept __asm__("sendfile");
ssize_t interposedSendFile(int to, int file, off_t* offset, std::size_t size) noexcept {
    static constinit Next<ssize_t(int, int, off_t*, std::size_t)> next("sendfile");
    return Interposed::transfer(Call::SendFile, size, [&](std::size_t most) { return next(to, file, offset, most); });
}

ssize_t interposedSendFile64(int to, int file, off64_t* offset, std::size_t size) noexcept __asm__("sendfile64");
ssize_t interposedSendFile64(int to, int file, off64_t* offset, std::size_t size) noexcept {
    static constinit Next<ssize_t(int, int, off64_t*, std::size_t)> next("sendfile64");
    return Interposed::transfer(Call::SendFile, size, [&](std::size_t most) { return next(to, file, offset, most); });
}

ssize_t interposedSplice(int from, off64_t* fromAt, int to, off64_t* toAt, std::size_t size, unsigned flags) noexcept
    __asm__("splice");
ssize_t interposedSplice(int from, off64_t* fromAt, int to, off64_t* toAt, std::size_t size, unsigned flags) noexcept {
    static constinit Next<ssize_t(int, off64_t*, int, off64_t*, std::size_t, unsigned)> next("splice");
    return Interposed::transfer(Call::Splice, size,
                                [&](std::size_t most) { return next(from, fromAt, to, toAt, most, flags); });
}

ssize_t interposedRead(int fd, void* into, std::size_t size) noexcept __asm__("read");
ssize_t interposedRead(int fd, void* into, std::size_t size) noexcept {
    static constinit Next<ssize_t(int, void*, std::size_t)> next("read");
    return Interposed::transfer(Call::Read, size, [&](std::size_t most) { return next(fd, into, most); });
}

ssize_t interposedReadChecked(int fd, void* into, std::size_t size, std::size_t room) noexcept __asm__("__read_chk");
ssize_t interposedReadChecked(int fd, void* into, std::size_t size, std::size_t room) noexcept {
    static constinit Next<ssize_t(int, void*, std::size_t, std::size_t)> next("__read_chk");
    return Interposed::transfer(Call::Read, size, [&](std::size_t most) { return next(fd, into, most, room); });
}

ssize_t interposedWrite(int fd, const void* from, std::size_t size) noexcept __asm__("write");
ssize_t interposedWrite(int fd, const void* from, std::size_t size) noexcept {
    static constinit Next<ssize_t(int, const void*, std::size_t)> next("write");
    return Interposed::transfer(Call::Write, size, [&](std::size_t most) { return next(fd, from, most); });
}

// --- descriptors ---

/// Linux closes the descriptor whatever it then says (close(2), "Dealing with error returns").
int interposedClose(int fd) noexcept __asm__("close");
int interposedClose(int fd) noexcept {
    static constinit Next<int(int)> next("close");
    const int error = Interposed::judge(Call::Close).error;
    const int result = next(fd);
    if (error == 0)
        return result;
    errno = error;
    return -1;
}

int interposedPipe2(int* ends, int flags) noexcept __asm__("pipe2");
int interposedPipe2(int* ends, int flags) noexcept {
    static constinit Next<int(int*, int)> next("pipe2");
    return Interposed::unlessFailed(Call::Pipe2, [&] { return next(ends, flags); });
}

int interposedEventFd(unsigned value, int flags) noexcept __asm__("eventfd");
int interposedEventFd(unsigned value, int flags) noexcept {
    static constinit Next<int(unsigned, int)> next("eventfd");
    return Interposed::unlessFailed(Call::EventFd, [&] { return next(value, flags); });
}

/// Whatever it takes behind the command goes through as a word.
int interposedFcntl(int fd, int command, void* word) noexcept __asm__("fcntl");
int interposedFcntl(int fd, int command, void* word) noexcept {
    static constinit Next<int(int, int, ...)> next("fcntl");
    return Interposed::unlessFailed(Call::Fcntl, [&] { return next(fd, command, word); });
}

int interposedFcntl64(int fd, int command, void* word) noexcept __asm__("fcntl64");
int interposedFcntl64(int fd, int command, void* word) noexcept {
    static constinit Next<int(int, int, ...)> next("fcntl64");
    return Interposed::unlessFailed(Call::Fcntl, [&] { return next(fd, command, word); });
}

// --- waiting ---

int interposedEpollCreate(int size) noexcept __asm__("epoll_create");
int interposedEpollCreate(int size) noexcept {
    static constinit Next<int(int)> next("epoll_create");
    return Interposed::unlessFailed(Call::EpollCreate1, [&] { return next(size); });
}

int interposedEpollCreate1(int flags) noexcept __asm__("epoll_create1");
int interposedEpollCreate1(int flags) noexcept {
    static constinit Next<int(int)> next("epoll_create1");
    return Interposed::unlessFailed(Call::EpollCreate1, [&] { return next(flags); });
}

int interposedEpollCtl(int epoll, int what, int fd, epoll_event* event) noexcept __asm__("epoll_ctl");
int interposedEpollCtl(int epoll, int what, int fd, epoll_event* event) noexcept {
    static constinit Next<int(int, int, int, epoll_event*)> next("epoll_ctl");
    return Interposed::unlessFailed(Call::EpollCtl, [&] { return next(epoll, what, fd, event); });
}

int interposedEpollWait(int epoll, epoll_event* events, int room, int msec) noexcept __asm__("epoll_wait");
int interposedEpollWait(int epoll, epoll_event* events, int room, int msec) noexcept {
    static constinit Next<int(int, epoll_event*, int, int)> next("epoll_wait");
    return Interposed::transfer(Call::EpollWait, static_cast<std::size_t>(room),
                                [&](std::size_t most) { return next(epoll, events, static_cast<int>(most), msec); });
}

int interposedEpollPWait(int epoll, epoll_event* events, int room, int msec, const sigset_t* mask) noexcept
    __asm__("epoll_pwait");
int interposedEpollPWait(int epoll, epoll_event* events, int room, int msec, const sigset_t* mask) noexcept {
    static constinit Next<int(int, epoll_event*, int, int, const sigset_t*)> next("epoll_pwait");
    return Interposed::transfer(Call::EpollWait, static_cast<std::size_t>(room), [&](std::size_t most) {
        return next(epoll, events, static_cast<int>(most), msec, mask);
    });
}

int interposedPoll(pollfd* looks, nfds_t count, int msec) noexcept __asm__("poll");
int interposedPoll(pollfd* looks, nfds_t count, int msec) noexcept {
    static constinit Next<int(pollfd*, nfds_t, int)> next("poll");
    return Interposed::unlessFailed(Call::Poll, [&] { return next(looks, count, msec); });
}

int interposedPollChecked(pollfd* looks, nfds_t count, int msec, std::size_t room) noexcept __asm__("__poll_chk");
int interposedPollChecked(pollfd* looks, nfds_t count, int msec, std::size_t room) noexcept {
    static constinit Next<int(pollfd*, nfds_t, int, std::size_t)> next("__poll_chk");
    return Interposed::unlessFailed(Call::Poll, [&] { return next(looks, count, msec, room); });
}

int interposedPPoll(pollfd* looks, nfds_t count, const timespec* wait, const sigset_t* mask) noexcept __asm__("ppoll");
int interposedPPoll(pollfd* looks, nfds_t count, const timespec* wait, const sigset_t* mask) noexcept {
    static constinit Next<int(pollfd*, nfds_t, const timespec*, const sigset_t*)> next("ppoll");
    return Interposed::unlessFailed(Call::Poll, [&] { return next(looks, count, wait, mask); });
}

int interposedPPollChecked(pollfd* looks, nfds_t count, const timespec* wait, const sigset_t* mask,
                           std::size_t room) noexcept __asm__("__ppoll_chk");
int interposedPPollChecked(pollfd* looks, nfds_t count, const timespec* wait, const sigset_t* mask,
                           std::size_t room) noexcept {
    static constinit Next<int(pollfd*, nfds_t, const timespec*, const sigset_t*, std::size_t)> next("__ppoll_chk");
    return Interposed::unlessFailed(Call::Poll, [&] { return next(looks, count, wait, mask, room); });
}

// --- names ---

int interposedGetAddrInfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) noexcept
    __asm__("getaddrinfo");
int interposedGetAddrInfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) noexcept {
    static constinit Next<int(const char*, const char*, const addrinfo*, addrinfo**)> next("getaddrinfo");
    const int error = Interposed::judge(Call::GetAddrInfo).error;
    return error != 0 ? error : next(node, service, hints, found);
}

} // extern "C"

} // namespace halyard::testing
