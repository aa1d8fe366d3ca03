// The layer itself, with nothing of Halyard in it; the last ones show that it reaches what Halyard and libuv call.
#include <halyard/testing/faults.h>

#include <logged.h>
#include <plain_socket.h>
#include <pump.h>

#include <halyard/core/event_loop.h>
#include <halyard/net/host_lookup.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/signals/sanitizers.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;
using namespace std::chrono_literals;

namespace {

#if defined(HALYARD_THREAD_SANITIZER) && defined(__clang__) // lets no program have an operator new of its own
constexpr bool allocationsCanFail = false;
#else
constexpr bool allocationsCanFail = true;
#endif

/// Two ends of a connection of the system's.
struct Ends {
    Ends() {
        int both[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
        near = PlainSocket(both[0]);
        far = PlainSocket(both[1]);
    }
    PlainSocket near;
    PlainSocket far;
};

ssize_t sendTo(const PlainSocket& socket, std::string_view bytes) {
    return ::send(socket.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

/// Which of the next calls fail.
std::vector<int> failuresOf(int calls) {
    const Ends ends;
    std::vector<int> failed;
    for (int i = 1; i <= calls; ++i)
        if (sendTo(ends.near, "x") < 0)
            failed.push_back(i);
    return failed;
}

} // namespace

TEST_CASE("a call fails with the errno that a rule gives, as often as it says") {
    Faults faults;
    SUBCASE("always") {
        faults.fail(Call::Send, EPIPE);
        CHECK(failuresOf(3) == std::vector{1, 2, 3});
        CHECK(errno == EPIPE);
        CHECK(faults.injected() == 3);
    }
    SUBCASE("once") {
        faults.fail(Call::Send, ENOBUFS, When::once());
        CHECK(failuresOf(3) == std::vector{1});
    }
    SUBCASE("the n-th") {
        faults.fail(Call::Send, ENOBUFS, When::nth(2)).fail(Call::Send, ENOMEM, When::nth(4));
        CHECK(failuresOf(5) == std::vector{2, 4});
    }
    SUBCASE("from the n-th on") {
        faults.fail(Call::Send, ENOBUFS, When::from(4));
        CHECK(failuresOf(5) == std::vector{4, 5});
    }
    SUBCASE("until the rules are cleared") {
        faults.fail(Call::Send, ENOBUFS);
        CHECK(failuresOf(1).size() == 1);
        faults.clear();
        CHECK(failuresOf(1).empty());
    }
    CHECK(faults.calls(Call::Send) >= 2);
    CHECK(faults.calls(Call::Connect) == 0);
}

TEST_CASE("by chance the same calls fail with the same seed, and about as many as asked for") {
    const auto chosen = [](std::uint64_t seed) {
        Faults faults;
        faults.fail(Call::Send, EAGAIN, When::byChance(0.25, seed));
        return failuresOf(200);
    };
    CHECK(chosen(7) == chosen(7));
    CHECK(chosen(7) != chosen(8));
    CHECK(chosen(7).size() > 25);
    CHECK(chosen(7).size() < 75);
}

TEST_CASE("what a failed call would have done is not done, and the next one does it") {
    const Ends ends;
    {
        Faults faults;
        faults.fail(Call::Send, EAGAIN, When::once());
        CHECK(sendTo(ends.near, "lost") == -1);
        CHECK(sendTo(ends.near, "kept") == 4);
    }
    CHECK(ends.far.receiveNow() == "kept");
}

TEST_CASE("calls transfer no more than a rule lets them, and lose nothing by that") {
    const Ends ends;
    Faults faults;
    char buffer[16] = {};
    SUBCASE("send and recv") {
        faults.shorten(Call::Send, 3).shorten(Call::Recv, 2);
        CHECK(sendTo(ends.near, "ahoy") == 3);
        CHECK(::recv(ends.far.descriptor(), buffer, sizeof buffer, 0) == 2);
        CHECK(::recv(ends.far.descriptor(), buffer, sizeof buffer, 0) == 1);
        CHECK(buffer[0] == 'o');
    }
    SUBCASE("sendmsg, across its pieces") {
        faults.shorten(Call::SendMsg, 5, When::once());
        iovec pieces[] = {{const_cast<char*>("aho"), 3}, {const_cast<char*>("y, ship"), 7}};
        msghdr message{};
        message.msg_iov = pieces;
        message.msg_iovlen = 2;
        CHECK(::sendmsg(ends.near.descriptor(), &message, 0) == 5);
        CHECK(ends.far.receiveNow() == "ahoy,");
        CHECK(::sendmsg(ends.near.descriptor(), &message, 0) == 10);
    }
    SUBCASE("recvmsg") {
        faults.shorten(Call::RecvMsg, 2);
        CHECK(sendTo(ends.near, "ahoy") == 4);
        iovec room{buffer, sizeof buffer};
        msghdr message{};
        message.msg_iov = &room;
        message.msg_iovlen = 1;
        CHECK(::recvmsg(ends.far.descriptor(), &message, 0) == 2);
    }
    SUBCASE("never nothing: that would be the peer's end") {
        faults.shorten(Call::Send, 0);
        CHECK(sendTo(ends.near, "ahoy") == 1);
    }
}

TEST_CASE("a call is delayed") {
    const Ends ends;
    Faults faults;
    faults.delay(Call::Send, 20ms, When::once());
    const auto start = std::chrono::steady_clock::now();
    CHECK(sendTo(ends.near, "late") == 4);
    CHECK(std::chrono::steady_clock::now() - start >= 20ms);
}

TEST_CASE("close fails, and has closed") {
    const int descriptor = ::eventfd(0, EFD_CLOEXEC);
    {
        Faults faults;
        faults.fail(Call::Close, EINTR);
        CHECK(::close(descriptor) == -1);
        CHECK(errno == EINTR);
    }
    CHECK(::close(descriptor) == -1);
    CHECK(errno == EBADF);
}

TEST_CASE("connect is under way where it says so") {
    const PlainSocket listener = PlainSocket::listening();
    const PlainSocket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in name = PlainSocket::loopback(listener.port());
    Faults faults;
    faults.fail(Call::Connect, EINPROGRESS);
    CHECK(::connect(client.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == -1);
    CHECK(errno == EINPROGRESS);
    CHECK(listener.accept().descriptor() >= 0);
}

TEST_CASE("operator new throws where it may, and gives null where not" * doctest::skip(!allocationsCanFail)) {
    Faults faults;
    faults.fail(Call::Allocate, ENOMEM);
    bool threw = false;
    void* silent = &threw;
    try {
        delete new std::string(100, 'x');
    } catch (const std::bad_alloc&) {
        threw = true;
    }
    silent = ::operator new(16, std::nothrow);
    faults.clear();
    CHECK(threw);
    CHECK(silent == nullptr);
    struct alignas(256) Wide {
        char bytes[256];
    };
    const auto wide = std::make_unique<Wide>();
    CHECK(reinterpret_cast<std::uintptr_t>(wide.get()) % 256 == 0);
}

TEST_CASE("several scopes hold at once: the error is the innermost one's") {
    const Ends ends;
    Faults outer;
    outer.fail(Call::Send, EPIPE);
    {
        Faults inner;
        inner.fail(Call::Send, ENOBUFS, When::once());
        CHECK(sendTo(ends.near, "x") == -1);
        CHECK(errno == ENOBUFS);
        CHECK(sendTo(ends.near, "x") == -1);
        CHECK(errno == EPIPE);
    }
    CHECK(outer.calls(Call::Send) == 2);
    CHECK(outer.injected() == 2);
}

TEST_CASE("scopes may end in any order") {
    auto first = std::make_unique<Faults>();
    auto second = std::make_unique<Faults>();
    first->fail(Call::Send, EPIPE);
    second->fail(Call::Send, ENOBUFS);
    first.reset();
    CHECK(failuresOf(1).size() == 1);
    second.reset();
    CHECK(failuresOf(1).empty());
}

TEST_CASE("what a test does itself is left alone") {
    Faults faults;
    faults.fail(Call::Send, EPIPE);
    {
        const NoFaults own;
        CHECK(failuresOf(2).empty());
    }
    CHECK(faults.calls(Call::Send) == 0);
    CHECK(failuresOf(1).size() == 1);
}

TEST_CASE("a scope is for its thread, or for every one") {
    const auto elsewhere = [] {
        std::size_t failed = 0;
        std::thread([&] { failed = failuresOf(2).size(); }).join();
        return failed;
    };
    {
        Faults faults;
        faults.fail(Call::Send, EPIPE);
        CHECK(elsewhere() == 0);
    }
    Faults faults(Faults::Threads::Every);
    faults.fail(Call::Send, EPIPE);
    CHECK(elsewhere() == 2);
    CHECK(failuresOf(1).size() == 1);
    CHECK(faults.calls(Call::Send) == 3);
}

TEST_CASE("failEach goes through every call that a scenario makes") {
    std::vector<std::vector<int>> runs;
    const std::uint64_t failed = failEach(Call::Send, EPIPE, [&](std::uint64_t n) {
        CHECK(n == runs.size() + 1);
        runs.push_back(failuresOf(3));
    });
    CHECK(failed == 3);
    CHECK(runs == std::vector<std::vector<int>>{{1}, {2}, {3}, {}});
}

TEST_CASE("every call has a name, and the errors of its man page") {
    for (std::size_t i = 0; i != callCount; ++i) {
        CHECK_FALSE(nameOf(static_cast<Call>(i)).empty());
        CHECK_FALSE(errorsOf(static_cast<Call>(i)).empty());
    }
    CHECK(nameOf(Call::Accept4) == "accept4");
    CHECK(nameOf(Call::Write) == "write");
    CHECK(nameOf(Call::Poll) == "poll");
}

TEST_CASE("what Halyard and libuv call is reached") {
    Faults faults(Faults::Threads::Every); // getaddrinfo(3) has a thread of its own
    faults.fail(Call::GetAddrInfo, EAI_AGAIN);
    std::thread([&] {
        EventLoop loop;
        TcpServer server;
        server.listen(HostAddress::LocalHost);
        TcpSocket socket;
        socket.connectToHost(HostAddress::LocalHost, server.serverPort());
        TcpSocket* accepted = nullptr;
        REQUIRE(pumpUntil([&] { return (accepted = server.nextPendingConnection()) != nullptr && socket.isValid(); }));
        accepted->write("ahoy");
        REQUIRE(pumpUntil([&] { return socket.bytesAvailable() == 4; }));
        accepted->write(std::string(100'000, 'x'));
        socket.abort();
        HostLookup lookup;
        lookup.start("halyard.example");
        lookup.waitForFinished(-1);
        CHECK(lookup.error() == SocketError::Temporary);
    }).join();
    for (const Call call : {Call::Accept4, Call::Bind, Call::Close, Call::Connect, Call::EpollCreate1, Call::EpollCtl,
                            Call::EpollWait, Call::EventFd, Call::GetAddrInfo, Call::GetPeerName, Call::GetSockName,
                            Call::GetSockOpt, Call::Listen, Call::Recv, Call::Send, Call::SetSockOpt, Call::Socket}) {
        CAPTURE(nameOf(call));
        CHECK(faults.calls(call) != 0);
    }
    CHECK((faults.calls(Call::Allocate) != 0) == allocationsCanFail);
}

TEST_CASE("a server that cannot have a descriptor says so, without one being short") {
    Logged log;
    TcpServer server;
    SocketError error = SocketError::None;
    server.acceptError.connect([&](SocketError what) { error = what; });
    REQUIRE(server.listen(HostAddress::LocalHost));
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    Faults faults;
    faults.fail(Call::Accept4, EMFILE, When::once());
    CHECK(pumpUntil([&] { return server.hasPendingConnections(); }));
    CHECK(error == SocketError::SocketResource);
}
