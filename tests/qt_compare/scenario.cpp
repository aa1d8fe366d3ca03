#include "scenario.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace compare {

namespace {

std::vector<const Scenario*>& registered() {
    static std::vector<const Scenario*> all;
    return all;
}

} // namespace

Scenario::Scenario(const char* name, std::function<void()> body) : name_(name), body_(std::move(body)) {
    registered().push_back(this);
}

const std::vector<const Scenario*>& Scenario::all() { return registered(); }

void writeLine(std::string_view line) {
    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    std::fflush(stdout); // a library that breaks down takes nothing of it along
}

bool pumpUntil(const std::function<bool()>& condition, std::chrono::milliseconds atMost) {
    const auto end = std::chrono::steady_clock::now() + atMost;
    while (!condition()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0)
            return false;
        turn(std::min(left, 10ms)); // a condition may be about what the loop does not see
    }
    return true;
}

void settle(std::chrono::milliseconds time) {
    pumpUntil([] { return false; }, time);
}

Watch::Watch(Server& server) {
    Object::connect(&server, &Server::newConnection, &listener_, [] { Trace{"newConnection"}; });
    Object::connect(&server, &Server::pendingConnectionAvailable, &listener_,
                    [] { Trace{"pendingConnectionAvailable"}; });
    Object::connect(&server, &Server::acceptError, &listener_, [](Error error) { Trace{"acceptError", error}; });
}

Watch::Watch(Socket& socket, const std::string& name) {
    const auto say = [name](const auto&... words) { Trace{name + ":", words...}; };
    Object::connect(&socket, &Socket::hostFound, &listener_, [say] { say("hostFound"); });
    Object::connect(&socket, &Socket::connected, &listener_, [say] { say("connected"); });
    Object::connect(&socket, &Socket::disconnected, &listener_, [say] { say("disconnected"); });
    Object::connect(&socket, &Socket::readyRead, &listener_, [say] { say("readyRead"); });
    Object::connect(&socket, &Socket::readChannelFinished, &listener_, [say] { say("readChannelFinished"); });
    Object::connect(&socket, &Socket::stateChanged, &listener_, [say](State state) { say("state", state); });
    Object::connect(&socket, &Socket::errorOccurred, &listener_,
                    [say, &socket](Error error) { say("error", error, "while", socket.state()); });
}

BytesWritten::BytesWritten(Socket& socket) {
    Object::connect(&socket, &Socket::bytesWritten, &socket, [this](std::int64_t bytes) { sum += bytes; });
}

std::string endOf(const PlainSocket& socket, std::chrono::milliseconds atMost) {
    std::string how = "nothing";
    pumpUntil(
        [&] {
            char buffer[4096];
            ssize_t got = 0;
            do
                got = ::recv(socket.descriptor(), buffer, sizeof buffer, MSG_DONTWAIT);
            while (got > 0);
            if (got == 0)
                how = "end";
            else if (errno == ECONNRESET)
                how = "reset";
            return how != "nothing";
        },
        atMost);
    return how;
}

NoDescriptorsLeft::NoDescriptorsLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowestFree = ::dup(0);
    ::close(lowestFree);
    const rlimit asManyAsThereAre{static_cast<rlim_t>(lowestFree), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &asManyAsThereAre);
}

NoDescriptorsLeft::~NoDescriptorsLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

RefusingPort::RefusingPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in name = PlainSocket::loopback(0);
    if (::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
        Trace{"cannot bind"};
}

SilentPort::SilentPort() {
    const sockaddr_in name = PlainSocket::loopback(port());
    for (bool full = false; !full;) {
        PlainSocket filler(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ::connect(filler.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
        pollfd look{filler.descriptor(), POLLOUT, 0};
        full = ::poll(&look, 1, 20) == 0; // on loopback those that are answered are answered at once
        fillers_.push_back(std::move(filler));
    }
}

Pair::Pair(PlainSocket listener) {
    socket.connectToHost(Address::LocalHost, listener.port());
    if (!socket.waitForConnected(10000))
        Trace{"the pair did not get connected"};
    peer = listener.accept();
}

} // namespace compare
