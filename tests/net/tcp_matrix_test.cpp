#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <pump.h>

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

using namespace halyard;
using namespace halyard::test;

// Every signal × everything that a slot may do × from the loop and in a wait. What counts is that nothing breaks (the
// sanitizers look on), that the socket works afterwards where it still is there, and that nothing hangs.

namespace {

struct Scene {
    TcpSocket* socket = new TcpSocket;
    PlainSocket listener = PlainSocket::listening(64);
    PlainSocket peer;
    int calls = 0;
    bool threw = false;
    bool fills = false; ///< more is written than the peer takes at once

    Scene() = default;
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
    ~Scene() {
        if (alive)
            delete socket;
    }
    Pointer<TcpSocket> alive{socket};
};

using Action = std::pair<const char*, std::function<void(Scene&)>>;

const std::array<Action, 16> actions{{
    {"nothing", [](Scene&) {}},
    {"close", [](Scene& scene) { scene.socket->close(); }},
    {"disconnectFromHost", [](Scene& scene) { scene.socket->disconnectFromHost(); }},
    {"abort", [](Scene& scene) { scene.socket->abort(); }},
    {"delete", [](Scene& scene) { delete scene.socket; }},
    {"deleteLater", [](Scene& scene) { scene.socket->deleteLater(); }},
    {"reconnect",
     [](Scene& scene) {
         scene.socket->abort();
         if (scene.alive)
             scene.socket->connectToHost(HostAddress::LocalHost, scene.listener.port());
     }},
    {"reconnect and wait",
     [](Scene& scene) {
         scene.socket->abort();
         if (!scene.alive)
             return;
         scene.socket->connectToHost(HostAddress::LocalHost, scene.listener.port());
         if (scene.alive)
             scene.socket->waitForConnected(2000);
     }},
    {"write a megabyte", [](Scene& scene) { scene.socket->write(std::string(1'000'000, 'm')); }},
    {"wait for more", [](Scene& scene) { scene.socket->waitForReadyRead(5); }},
    {"connect and disconnect slots",
     [](Scene& scene) {
         Connection more = scene.socket->readyRead.connect([] {});
         scene.socket->stateChanged.connect(scene.socket, [] {});
         more.disconnect();
         scene.socket->stateChanged.disconnect(scene.socket);
     }},
    {"shutdownWrite", [](Scene& scene) { scene.socket->shutdownWrite(); }},
    {"releaseDescriptor", [](Scene& scene) { const PlainSocket released(scene.socket->releaseDescriptor()); }},
    {"pause and resume reading",
     [](Scene& scene) {
         scene.socket->pauseReading();
         scene.socket->waitForReadyRead(1);
         if (scene.alive)
             scene.socket->resumeReading();
     }},
    {"run a loop",
     [](Scene& scene) {
         scene.socket->write("from within");
         EventLoop::current()->processEvents();
         EventLoop::current()->processEvents();
     }},
    {"throw", [](Scene&) { throw std::runtime_error("out of a slot"); }},
}};

using Attach = std::pair<const char*, std::function<void(Scene&, std::function<void()>)>>;

const std::array<Attach, 15> signalsOfSocket{{
    {"hostFound", [](Scene& s, std::function<void()> f) { s.socket->hostFound.connect(std::move(f)); }},
    {"connected", [](Scene& s, std::function<void()> f) { s.socket->connected.connect(std::move(f)); }},
    {"disconnected", [](Scene& s, std::function<void()> f) { s.socket->disconnected.connect(std::move(f)); }},
    {"readyRead", [](Scene& s, std::function<void()> f) { s.socket->readyRead.connect(std::move(f)); }},
    {"bytesWritten", [](Scene& s, std::function<void()> f) { s.socket->bytesWritten.connect(std::move(f)); }},
    {"readChannelFinished",
     [](Scene& s, std::function<void()> f) { s.socket->readChannelFinished.connect(std::move(f)); }},
    {"readChannelFinished while half open",
     [](Scene& s, std::function<void()> f) {
         s.socket->setAllowHalfOpen(true);
         s.socket->readChannelFinished.connect(std::move(f));
     }},
    {"disconnected after a half close",
     [](Scene& s, std::function<void()> f) {
         s.socket->setAllowHalfOpen(true);
         s.socket->disconnected.connect(std::move(f));
     }},
    {"writeBufferFull",
     [](Scene& s, std::function<void()> f) {
         s.fills = true;
         s.socket->writeBufferFull.connect(std::move(f));
     }},
    {"writeBufferDrained",
     [](Scene& s, std::function<void()> f) {
         s.fills = true;
         s.socket->writeBufferDrained.connect(std::move(f));
     }},
    {"errorOccurred for silence",
     [](Scene& s, std::function<void()> f) {
         s.socket->setReadTimeout(std::chrono::milliseconds(2));
         s.socket->errorOccurred.connect(std::move(f));
     }},
    {"stateChanged", [](Scene& s, std::function<void()> f) { s.socket->stateChanged.connect(std::move(f)); }},
    {"stateChanged to Closing",
     [](Scene& s, std::function<void()> f) {
         s.socket->stateChanged.connect([f](SocketState state) {
             if (state == SocketState::Closing)
                 f();
         });
     }},
    {"errorOccurred", [](Scene& s, std::function<void()> f) { s.socket->errorOccurred.connect(std::move(f)); }},
    {"destroyed",
     [](Scene& s, std::function<void()> f) {
         // The socket is no socket any more: only what does not touch it is left to do.
         s.socket->destroyed.connect([&s] { ++s.calls; });
         (void)f;
     }},
}};

/// Runs what may throw; an exception out of a slot is caught where a program would catch it.
void guarded(Scene& scene, const std::function<void()>& what) {
    try {
        what();
    } catch (const std::runtime_error&) {
        scene.threw = true;
    }
}

void turns(Scene& scene, const std::function<bool()>& enough) {
    const auto end = std::chrono::steady_clock::now() + patience(std::chrono::seconds(3));
    while (!enough() && std::chrono::steady_clock::now() < end)
        guarded(scene, [] { EventLoop::current()->processEvents(std::chrono::milliseconds(5)); });
}

void play(const Attach& signal, const Action& action, bool byWaits) {
    CAPTURE(std::string(signal.first));
    CAPTURE(std::string(action.first));
    CAPTURE(byWaits);
    Scene scene;
    signal.second(scene, [&] {
        if (++scene.calls == 1 && scene.alive)
            action.second(scene);
    });

    guarded(scene, [&] { scene.socket->connectToHost(HostAddress::LocalHost, scene.listener.port()); });
    if (scene.alive && byWaits)
        guarded(scene, [&] { scene.socket->waitForConnected(2000); });
    scene.peer = PlainSocket();
    const auto settled = [&] {
        return !scene.alive || scene.socket->state() == SocketState::Connected ||
               scene.socket->state() == SocketState::Unconnected;
    };
    turns(scene, settled);

    // Whoever is connected gets data and an answer is tried; then the peer goes.
    for (int connection = 0; connection != 2; ++connection) {
        pollfd look{scene.listener.descriptor(), POLLIN, 0};
        if (::poll(&look, 1, 0) != 1)
            break;
        PlainSocket peer = scene.listener.accept();
        if (scene.alive && scene.socket->state() == SocketState::Connected) {
            if (scene.fills) {
                scene.socket->setWriteBufferWatermarks(1, 100'000);
                guarded(scene, [&] { scene.socket->write(std::string(6'000'000, 'f')); });
            } else {
                guarded(scene, [&] { scene.socket->write("outwards"); });
                peer.receiveNow();
            }
        }
        try {
            peer.send("inwards");
        } catch (const std::runtime_error&) {
            continue; // that connection was aborted
        }
        if (scene.alive && byWaits) {
            guarded(scene, [&] { scene.socket->waitForBytesWritten(20); });
            if (scene.alive)
                guarded(scene, [&] { scene.socket->waitForReadyRead(20); });
        }
        for (int i = 0; i != 3; ++i) {
            guarded(scene, [] { EventLoop::current()->processEvents(); });
            peer.receiveNow();
        }
        peer.shutdownWrite();
        if (scene.alive && scene.socket->allowHalfOpen())
            guarded(scene, [&] { scene.socket->shutdownWrite(); });
        bool ended = false;
        const auto drained = [&] {
            peer.receiveNow(&ended);
            const bool halfOpen = scene.alive && scene.socket->allowHalfOpen();
            return (ended && (!halfOpen || scene.calls != 0)) || !scene.alive ||
                   scene.socket->state() != SocketState::Connected;
        };
        if (scene.alive && byWaits)
            guarded(scene, [&] { scene.socket->waitForDisconnected(20); });
        turns(scene, drained);
        peer.close();
        turns(scene, settled);
    }
    if (scene.alive) {
        if (scene.calls == 0)
            guarded(scene, [&] { scene.socket->abort(); }); // whose signals may be the first ones of their kind
        if (scene.alive)
            guarded(scene, [&] { scene.socket->abort(); });
        if (scene.alive)
            CHECK(scene.socket->state() == SocketState::Unconnected);
    }
    guarded(scene, [] { pumpIdle(2); }); // what was to be deleted later
    if (scene.alive) {
        // It is whole: it connects, sends and receives like a new one.
        while (true) {
            pollfd look{scene.listener.descriptor(), POLLIN, 0};
            if (::poll(&look, 1, 0) != 1)
                break;
            scene.listener.accept();
        }
        scene.calls = 1000;
        scene.socket->setReadTimeout(std::chrono::milliseconds(0));
        scene.socket->connectToHost(HostAddress::LocalHost, scene.listener.port());
        CHECK(pumpUntil([&] { return scene.socket->state() == SocketState::Connected; }));
        const PlainSocket peer = scene.listener.accept();
        scene.socket->write("whole");
        CHECK(peer.receive(5) == "whole");
        peer.send("it is");
        CHECK(pumpUntil([&] { return scene.socket->bytesAvailable() == 5; }));
    }
    if (scene.alive)
        delete scene.socket;
    pumpIdle(2);
}

} // namespace

TEST_CASE("a slot of any signal may do anything, from the loop") {
    Logged log;
    for (const Attach& signal : signalsOfSocket)
        for (const Action& action : actions)
            play(signal, action, false);
}

TEST_CASE("a slot of any signal may do anything, in a wait") {
    Logged log;
    for (const Attach& signal : signalsOfSocket)
        for (const Action& action : actions)
            play(signal, action, true);
}
