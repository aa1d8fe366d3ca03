#include "plain_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>

namespace bench {

void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

Descriptor::~Descriptor() {
    if (number_ >= 0)
        ::close(number_);
}

Descriptor listenAnywhere() {
    Descriptor listener(checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), "bind");
    checked(::listen(listener.get(), SOMAXCONN), "listen");
    return listener;
}

void announce(std::uint16_t port) {
    std::printf("listening on 127.0.0.1:%u\n", unsigned{port});
    std::fflush(stdout);
}

void announceListener(int descriptor) {
    sockaddr_in name{};
    socklen_t length = sizeof name;
    checked(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &length), "getsockname");
    announce(ntohs(name.sin_port));
}

void raiseDescriptorLimit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const std::function<void()>& serve) noexcept {
    try {
        raiseDescriptorLimit();
        serve();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

} // namespace bench
