// waitForNewConnection(), in every situation.
#include "scenario.h"

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

namespace {

using namespace compare;

/// A listening server, and how a wait on it ends.
struct Waiting {
    Waiting() { server.listen(Address::LocalHost); }
    void waits(int msec) {
        bool timedOut = true;
        const bool answer = server.waitForNewConnection(msec, &timedOut);
        Trace{"wait",      answer,
              "timed out", timedOut,
              "pending",   server.hasPendingConnections(),
              "error",     server.serverError()};
    }
    void knocks() { clients.push_back(PlainSocket::connectedTo(server.serverPort())); }

    Server server;
    std::vector<PlainSocket> clients;
};

const Scenario notListening("wait_without_listening", [] {
    Server server;
    for (const bool before : {false, true}) {
        bool timedOut = before;
        Trace{"wait", server.waitForNewConnection(10, &timedOut), "timed out", timedOut, "error", server.serverError()};
    }
});

const Scenario looksOnce("wait_of_no_time", [] {
    Waiting w;
    w.waits(0);
    Trace{"by default", w.server.waitForNewConnection()};
});

const Scenario inVain("wait_in_vain", [] {
    Waiting w;
    const auto began = std::chrono::steady_clock::now();
    w.waits(60);
    Trace{"waited", std::chrono::steady_clock::now() - began >= 60ms};
});

const Scenario interrupted("wait_that_is_interrupted", [] {
    std::signal(SIGUSR1, [](int) {});
    std::atomic<bool> done = false;
    std::thread storm([&done, waiting = ::pthread_self()] {
        while (!done) {
            ::pthread_kill(waiting, SIGUSR1);
            std::this_thread::sleep_for(2ms); // the storm's pace: a signal at a time, and time to wait between them
        }
    });
    Waiting w;
    const auto began = std::chrono::steady_clock::now();
    w.waits(100);
    Trace{"waited", std::chrono::steady_clock::now() - began >= 100ms};
    done = true;
    storm.join();
});

const Scenario oneClient("wait_with_a_client", [] {
    for (const int msec : {0, 5000, -1, -5}) {
        Waiting w;
        const Watch watch(w.server);
        w.knocks();
        w.waits(msec);
    }
});

const Scenario clientComes("wait_until_a_client_comes", [] {
    Waiting w;
    std::thread late([port = w.server.serverPort()] {
        std::this_thread::sleep_for(20ms); // so that the wait blocks by then, which no condition tells
        PlainSocket::connectedTo(port);
    });
    w.waits(10000);
    late.join();
});

const Scenario severalClients("wait_with_three_clients", [] {
    Waiting w;
    const Watch watch(w.server);
    for (int i = 0; i != 3; ++i)
        w.knocks();
    w.waits(5000);
    for (int i = 0; i != 3; ++i)
        Trace{"next", w.server.nextPendingConnection() != nullptr};
});

const Scenario errorOfEarlierWait("wait_with_a_client_after_one_in_vain", [] {
    Waiting w;
    w.waits(0);
    w.knocks();
    w.waits(5000);
});

const Scenario alreadyPending("wait_with_one_pending", [] {
    Waiting w;
    w.knocks();
    w.waits(5000);
    w.waits(20);
});

const Scenario full("wait_with_a_full_queue", [] {
    Waiting w;
    const Watch watch(w.server);
    w.server.setMaxPendingConnections(2);
    for (int i = 0; i != 4; ++i)
        w.knocks();
    w.waits(5000);
    w.waits(5000);
    w.server.nextPendingConnection();
    w.server.nextPendingConnection();
    w.waits(5000);
});

const Scenario noneAllowed("wait_where_none_is_allowed", [] {
    Waiting w;
    w.server.setMaxPendingConnections(0);
    w.knocks();
    w.waits(20);
});

const Scenario noDescriptor("wait_without_a_descriptor_left", [] {
    Waiting w;
    const Watch watch(w.server);
    w.knocks();
    const NoDescriptorsLeft now;
    w.waits(50);
});

const Scenario slotTakes("wait_and_a_slot_takes", [] {
    Waiting w;
    Object::connect(&w.server, &Server::newConnection, &w.server, [&w] {
        Trace{"taken", w.server.nextPendingConnection() != nullptr};
    });
    w.knocks();
    w.waits(5000);
});

const Scenario slotCloses("wait_and_a_slot_closes", [] {
    Waiting w;
    Object::connect(&w.server, &Server::newConnection, &w.server, [&w] { w.server.close(); });
    w.knocks();
    w.waits(5000);
});

const Scenario slotDeletes("wait_and_a_slot_deletes_the_server", [] {
    auto* const server = new Server;
    server->listen(Address::LocalHost);
    Object::connect(server, &Server::newConnection, server, [server] { delete server; });
    const PlainSocket client = PlainSocket::connectedTo(server->serverPort());
    bool timedOut = true;
    const bool answer = server->waitForNewConnection(5000, &timedOut);
    Trace{"wait", answer, "timed out", timedOut};
});

const Scenario slotQueuesNothing("wait_and_an_override_queues_nothing", [] {
    class Closing : public Server {
      protected:
        void incomingConnection(Descriptor descriptor) override { ::close(descriptorOf(descriptor)); }
    } server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    bool timedOut = true;
    const bool answer = server.waitForNewConnection(5000, &timedOut);
    Trace{"wait", answer, "timed out", timedOut, "pending", server.hasPendingConnections()};
});

const Scenario whilePaused("wait_while_paused", [] {
    Waiting w;
    w.server.pauseAccepting();
    w.knocks();
    w.waits(5000);
});

const Scenario nothingElse("wait_runs_nothing_else", [] {
    Waiting w;
    Object context;
    Timer timer;
    Object::connect(&timer, &Timer::timeout, &context, [] { Trace{"timer"}; });
    timer.setSingleShot(true);
    timer.start(1ms);
    Object::connect(&w.server, &Server::newConnection, &context, [] { Trace{"direct slot"}; });
    Object::connect(
        &w.server, &Server::newConnection, &context, [] { Trace{"queued slot"}; }, Queued);
    postTo(context, [] { Trace{"posted"}; });
    w.waits(20);
    w.knocks();
    w.waits(5000);
    Trace{"the loop"};
    settle();
});

const Scenario plainThread("wait_in_a_plain_thread", [] {
    std::thread([] {
        Waiting w;
        const Watch watch(w.server);
        w.knocks();
        w.waits(5000);
        const Socket* const taken = w.server.nextPendingConnection();
        Trace{"state", taken->state(), "same thread", taken->thread() == w.server.thread()};
    }).join();
});

/// A thread that never runs a loop: it waits until it is told to, and then for a client.
class WaitingThread : public Thread {
  public:
    explicit WaitingThread(Server& server) : server_(server) {}
    ~WaitingThread() override { wait(); }
    void goOn() { told_ = true; }

  private:
    void run() override {
        while (!told_)
            std::this_thread::yield();
        Trace{"wait", server_.waitForNewConnection(5000)};
        const Socket* const taken = server_.nextPendingConnection();
        Trace{"same thread", taken != nullptr && taken->thread() == this};
        server_.close();
    }

    Server& server_;
    std::atomic<bool> told_ = false;
};

const Scenario movedThere("wait_in_a_thread_that_the_server_moved_to", [] {
    Server server;
    server.listen(Address::LocalHost);
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    WaitingThread thread(server);
    thread.start();
    server.moveToThread(&thread);
    Trace{"moved", server.thread() == &thread};
    thread.goOn();
});

} // namespace
