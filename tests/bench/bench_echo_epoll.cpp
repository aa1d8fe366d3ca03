// The floor: level-triggered epoll, and one recv and one send for each readiness. It knows a connection by
// its descriptor alone; only bytes that the kernel did not take are kept, and the connection is not read
// meanwhile.

#include "plain_socket.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

class EchoServer {
  public:
    EchoServer() {
        sigset_t watched;
        sigemptyset(&watched);
        sigaddset(&watched, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &watched, nullptr);
        terminate_ = bench::Descriptor(bench::checked(::signalfd(-1, &watched, SFD_CLOEXEC), "signalfd"));
        watch(EPOLL_CTL_ADD, terminate_.get(), EPOLLIN);
        watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
    }

    void run() {
        bench::announceListener(listener_.get());
        std::array<epoll_event, 1024> events;
        for (;;) {
            const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
            if (count < 0 && errno != EINTR)
                bench::fail("epoll_wait");
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                if (event.data.fd == terminate_.get())
                    return;
                if (event.data.fd == listener_.get())
                    acceptAll();
                else if ((event.events & EPOLLOUT) != 0)
                    sendRest(event.data.fd);
                else
                    echo(event.data.fd);
            }
        }
    }

  private:
    void watch(int operation, int descriptor, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = descriptor;
        bench::checked(::epoll_ctl(poll_.get(), operation, descriptor, &event), "epoll_ctl");
    }

    void acceptAll() {
        for (;;) {
            const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (client < 0)
                return;
            watch(EPOLL_CTL_ADD, client, EPOLLIN);
        }
    }

    void echo(int client) {
        const ssize_t received = ::recv(client, buffer_.data(), buffer_.size(), 0);
        if (received <= 0) {
            if (received == 0 || errno != EAGAIN)
                end(client);
            return;
        }
        const auto size = static_cast<std::size_t>(received);
        const ssize_t sent = ::send(client, buffer_.data(), size, MSG_NOSIGNAL);
        if (sent == received)
            return;
        if (sent < 0 && errno != EAGAIN) {
            end(client);
            return;
        }
        const auto taken = static_cast<std::size_t>(sent < 0 ? 0 : sent);
        rests_[client] = std::string(buffer_.data() + taken, size - taken);
        watch(EPOLL_CTL_MOD, client, EPOLLOUT);
    }

    void sendRest(int client) {
        std::string& rest = rests_[client];
        const ssize_t sent = ::send(client, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN)
                end(client);
            return;
        }
        rest.erase(0, static_cast<std::size_t>(sent));
        if (rest.empty()) {
            rests_.erase(client);
            watch(EPOLL_CTL_MOD, client, EPOLLIN);
        }
    }

    void end(int client) {
        rests_.erase(client);
        ::close(client); // which takes it out of the epoll set, too
    }

    bench::Descriptor poll_{bench::checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    bench::Descriptor listener_ = bench::listenAnywhere();
    bench::Descriptor terminate_;
    std::unordered_map<int, std::string> rests_;
    std::array<char, 64 * 1024> buffer_;
};

} // namespace

int main() {
    return bench::run([] { EchoServer().run(); });
}
