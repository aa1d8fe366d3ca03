#pragma once

#include <plain_socket.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace halyard::test {

/// Gives this process, which is to have one thread, a network of its own with a loopback interface, and the right to
/// do with it what it wants. False where that is not allowed.
inline bool enterOwnNetwork() {
    const std::string user = std::to_string(::getuid());
    const std::string group = std::to_string(::getgid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    const auto write = [](const char* file, const std::string& text) {
        std::ofstream out(file);
        return static_cast<bool>(out << text << std::flush);
    };
    // user_namespaces(7): as root in there, so that programs that are run may do so too.
    write("/proc/self/setgroups", "deny");
    if (!write("/proc/self/uid_map", "0 " + user + " 1") || !write("/proc/self/gid_map", "0 " + group + " 1"))
        return false;
    const PlainSocket control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{};
    std::strncpy(loopback.ifr_name, "lo", sizeof loopback.ifr_name - 1);
    loopback.ifr_flags = IFF_UP | IFF_RUNNING;
    return ::ioctl(control.descriptor(), SIOCSIFFLAGS, &loopback) == 0;
}

/// Runs a program of an administrator, quietly. False where it is not there, or fails.
inline bool administer(const std::string& command) {
    return std::system(("PATH=$PATH:/usr/sbin:/sbin " + command + " >/dev/null 2>&1").c_str()) == 0;
}

} // namespace halyard::test
