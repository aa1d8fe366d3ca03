// There is no memory for the way to a proxy, or for what is said to it: an error of the socket or of the server, which
// no loop and no wait has to hear of by an exception.
#include "../net/both_ways.h"
#include "../net/scripted_proxy.h"
#include "fault_scenario.h"

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

/// `scenario(n)` has its n-th allocation fail, and says whether there was one. Each runs on a new thread, which has no
/// memory in store. How many failed.
template <class Scenario>
std::uint64_t failEachAllocation(Scenario scenario) {
    for (std::uint64_t n = 1;; ++n) {
        bool hasFailed = false;
        std::thread([&] {
            CAPTURE(n);
            EventLoop::current();
            hasFailed = scenario(n);
        }).join();
        if (!hasFailed)
            return n - 1;
    }
}

NetworkProxy byName(NetworkProxy proxy) {
    proxy.host = "localhost"; // two addresses, one of which refuses
    return proxy;
}

/// There was no memory; or one address refused, and there was no memory to try the other one.
bool isRight(SocketError error) {
    return error == SocketError::SocketResource || error == SocketError::ProxyConnectionRefused;
}

/// Connects while memory is out, and once more.
class Connecting {
  public:
    explicit Connecting(const NetworkProxy& proxy) {
        socket_.setProxy(proxy);
        socket_.errorOccurred.connect([this](SocketError error) { told_ = error; });
    }

    bool fails(std::uint64_t n, Way way) {
        std::uint64_t injected = 0;
        bool threw = false;
        {
            Faults faults;
            faults.fail(Call::Allocate, ENOMEM, When::nth(n));
            try {
                begin();
            } catch (const std::bad_alloc&) { // the caller's to know at once
                threw = true;
            }
            if (!threw)
                connects(socket_, way);
            injected = faults.injected();
        }
        if (threw)
            CHECK(socket_.state() == SocketState::Unconnected);
        if (told_ != SocketError::None)
            CHECK(isRight(told_));
        const bool isTold = threw || told_ != SocketError::None;
        CHECK((socket_.state() == SocketState::Connected || isTold));
        if (socket_.state() == SocketState::Unconnected)
            begin();
        CHECK(connects(socket_, way));
        return injected != 0;
    }

  private:
    void begin() { socket_.connectToHost("some.host.with.a.rather.long.name.example.org", 80); }

    TcpSocket socket_;
    SocketError told_ = SocketError::None;
};

/// Has clients come by a proxy while memory is out, until there are two, asked for in turn or all by itself.
class Listening {
  public:
    Listening(const NetworkProxy& proxy, bool rebinds) {
        server_.setProxy(proxy);
        server_.setRebind(rebinds);
        server_.acceptError.connect([this](SocketError error) { told_ = error; });
    }

    bool fails(std::uint64_t n, Way way) {
        std::uint64_t injected = 0;
        bool isListening = false;
        bool threw = false;
        {
            Faults faults;
            faults.fail(Call::Allocate, ENOMEM, When::nth(n));
            try {
                isListening = server_.listen();
                if (isListening)
                    take(way);
            } catch (const std::bad_alloc&) { // for the server or its client itself
                threw = true;
            }
            injected = faults.injected();
        }
        if (told_ != SocketError::None)
            CHECK(isRight(told_));
        if (!threw && !isListening)
            CHECK(isRight(server_.serverError()));
        if (!threw && isListening && server_.isListening())
            take(way);
        while (clients_.size() < 2) {
            if (!server_.isListening())
                CHECK(server_.listen());
            const std::size_t before = clients_.size();
            take(way);
            CHECK(clients_.size() == before + 1);
            if (clients_.size() == before)
                break;
        }
        return injected != 0;
    }

  private:
    /// The next client, if the server lives so long.
    void take(Way way) {
        if (way == Way::Wait)
            server_.waitForNewConnection(msecOfPatience());
        else
            pumpUntil([this] { return server_.hasPendingConnections() || !server_.isListening(); });
        const testing::NoFaults own;
        if (TcpSocket* const client = server_.nextPendingConnection())
            clients_.emplace_back(client)->setParent(nullptr);
    }

    TcpServer server_;
    std::vector<std::unique_ptr<TcpSocket>> clients_;
    SocketError told_ = SocketError::None;
};

} // namespace

TEST_CASE("who connects by a proxy when memory is out is told, and connects when it is there again") {
    const auto socks = [](PlainSocket& client) {
        if (socksRequest(client).size() < 10)
            return;
        client.send(socksReply());
        stay(client);
    };
    const auto http = [](PlainSocket& client) {
        if (!httpRequest(client).ends_with("\r\n\r\n"))
            return;
        client.send("HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
        if (!httpRequest(client).ends_with("\r\n\r\n"))
            return;
        client.send("HTTP/1.1 200 OK\r\n\r\n");
        stay(client);
    };
    Logged log;
    EventLoop::current(); // has descriptors of its own
    const std::ptrdiff_t before = descriptors();
    for (const bool isSocks : {true, false}) {
        for (const Way way : bothWays) {
            CAPTURE(isSocks);
            CAPTURE(way);
            const std::uint64_t failures = failEachAllocation([&](std::uint64_t n) {
                const ScriptedProxy::Script script = isSocks ? ScriptedProxy::Script(socks) : http;
                const ScriptedProxy proxy({script, script, script});
                return Connecting(byName(isSocks ? proxy.socks() : proxy.http("user", "secret"))).fails(n, way);
            });
            CHECK(failures > 10);
            MESSAGE(std::string(isSocks ? "SOCKS" : "HTTP"), ": ", failures, " allocations may fail");
        }
    }
    CHECK(pumpUntil([&] { return descriptors() == before; }));
}

TEST_CASE("who listens by a proxy when memory is out is told, and has its clients when it is there again") {
    const auto script = [](PlainSocket& client) {
        if (socksRequest(client).size() < 10)
            return;
        client.send(socksReply() + std::string("\x05\x00\x00\x01\xc6\x33\x64\x07\x30\x39", 10));
        stay(client);
    };
    Logged log;
    EventLoop::current(); // has descriptors of its own
    const std::ptrdiff_t before = descriptors();
    for (const bool rebinds : {false, true}) {
        for (const Way way : bothWays) {
            CAPTURE(rebinds);
            CAPTURE(way);
            const std::uint64_t failures = failEachAllocation([&](std::uint64_t n) {
                const ScriptedProxy proxy(std::vector<ScriptedProxy::Script>(4, script));
                return Listening(byName(proxy.socks()), rebinds).fails(n, way);
            });
            CHECK(failures > 10);
            MESSAGE("SOCKS BIND: ", failures, " allocations may fail");
        }
    }
    CHECK(pumpUntil([&] { return descriptors() == before; }));
}
