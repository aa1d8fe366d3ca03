#pragma once

#include "accept_error.h"
#include "native_engine.h"

#include <halyard/core/clock.h>
#include <halyard/net/stream_server.h>
#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

namespace halyard::test {

/// In a script: a client; else there stands what accept(2) fails with.
inline constexpr int guest = 0;

/// Its descriptor is readable while there is something in the script, as a listener is while somebody waits.
class ScriptedEngine final : public NativeEngine {
  public:
    ScriptedEngine(EngineClient& whose, std::deque<int>& script, int& tries)
        : NativeEngine(whose), script_(script), tries_(tries) {
        adopt(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        hint();
    }

    void hint() const {
        const std::uint64_t one = 1;
        if (!script_.empty())
            CHECK(::write(descriptor(), &one, sizeof one) == sizeof one);
    }

    int accept(Endpoint&) noexcept override {
        ++tries_;
        if (script_.empty()) {
            std::uint64_t all = 0;
            [[maybe_unused]] const auto size = ::read(descriptor(), &all, sizeof all);
            return -EAGAIN;
        }
        const int next = script_.front();
        if (next == guest || sortAcceptError(next) == AcceptOutcome::OneClient)
            script_.pop_front(); // else the client stays where it is, as in the kernel's backlog
        return next == guest ? ::dup(0) : -next;
    }

  private:
    std::deque<int>& script_;
    int& tries_;
};

/// A server whose clients and errors come from a script.
class ScriptedServer final : public StreamServer {
  public:
    explicit ScriptedServer(int limit = 1) : StreamServer(nullptr) {
        setMaxPendingConnections(limit);
        acceptError.connect([this](SocketError) { ++errors; });
        newConnection.connect([this] { ++announced; });
    }
    ~ScriptedServer() override { close(); }

    bool listen() {
        return isFree("listen()") && start(std::make_unique<ScriptedEngine>(engineClient(), script, tries), 0);
    }
    /// Clients come, or accept(2) is going to fail.
    void come(const std::vector<int>& what) {
        script.insert(script.end(), what.begin(), what.end());
        if (isListening())
            static_cast<ScriptedEngine*>(engine())->hint();
    }
    /// As above, and the loop does what it then does.
    void happens(const std::vector<int>& what) {
        come(what);
        pumpIdle();
    }

    void queueOne() { queue(new TcpSocket(this)); }

    std::deque<int> script;
    int tries = 0;
    int errors = 0;
    int announced = 0;

  private:
    void incomingConnection(int descriptor) override {
        ::close(descriptor);
        queueOne();
    }
    std::string localText() const override { return "the script"; }
    bool adopts(const sockaddr&, std::size_t) override { return false; }
};

/// Lets that much time pass, and the loop look at what may be looked at again.
inline void pass(ManualClock& clock, std::chrono::milliseconds time) {
    clock.advance(time);
    pumpIdle();
}

} // namespace halyard::test
