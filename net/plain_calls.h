#pragma once

#include <halyard/signals/sanitizers.h>

#include <cstddef>
#include <span>
#include <string_view>

#include <sys/socket.h>
#include <sys/types.h>

#if defined(HALYARD_ADDRESS_SANITIZER) || defined(HALYARD_THREAD_SANITIZER) || defined(HALYARD_MEMORY_SANITIZER)
#define HALYARD_IS_SANITIZED
#endif

#if defined(__linux__) && __has_include(<sys/single_threaded.h>) && !defined(HALYARD_IS_SANITIZED)
#include <sys/single_threaded.h> // the GNU C library, from 2.32 on
#include <sys/syscall.h>
#include <unistd.h>
#define HALYARD_MAKES_PLAIN_CALLS
#endif

/// recv(2) and send(2) of descriptors that never block, which need not be cancellation points (pthreads(7)): as such
/// they cost 49 instructions more each in a program with threads, a sixth of an echoed message. Not read(2), although
/// it has fewer arguments: what the kernel does for a file costs 50 ns more, a hundredth of the message. Sanitizers
/// look at the functions of the C library only, and get these.
namespace halyard::plain {

inline ssize_t receive(int descriptor, std::span<std::byte> into) noexcept {
#ifdef HALYARD_MAKES_PLAIN_CALLS
    if (__libc_single_threaded == 0) // else the other way is the cheaper one
        return ::syscall(SYS_recvfrom, descriptor, into.data(), into.size(), 0, nullptr, nullptr);
#endif
    return ::recv(descriptor, into.data(), into.size(), 0);
}

inline ssize_t send(int descriptor, std::string_view bytes) noexcept {
#ifdef HALYARD_MAKES_PLAIN_CALLS
    if (__libc_single_threaded == 0)
        return ::syscall(SYS_sendto, descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
#endif
    return ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

} // namespace halyard::plain

#undef HALYARD_IS_SANITIZED
#undef HALYARD_MAKES_PLAIN_CALLS
