// How a server accepts: signals, limits, pauses, overrides, and what its slots may do.
#include "scenario.h"

#include <vector>

#include <unistd.h>

namespace {

using namespace compare;

std::vector<PlainSocket> clientsOf(const Server& server, int count) {
    std::vector<PlainSocket> clients;
    for (int i = 0; i != count; ++i)
        clients.push_back(PlainSocket::connectedTo(server.serverPort()));
    return clients;
}

int takeAll(Server& server) {
    int taken = 0;
    while (server.nextPendingConnection() != nullptr)
        ++taken;
    return taken;
}

/// Tells of each descriptor it gets.
class Telling : public Server {
  protected:
    void incomingConnection(Descriptor descriptor) override {
        Trace{"incomingConnection"};
        Server::incomingConnection(descriptor);
        Trace{"queued"};
    }
};

const Scenario signalOrder("order_of_signals", [] {
    Telling server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 2);
    settle();
    Trace{"taken", takeAll(server)};
});

const Scenario takenSocket("socket_that_was_taken", [] {
    Server server;
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 1);
    server.waitForNewConnection(5000);
    const Socket* const taken = server.nextPendingConnection();
    Trace{"child", taken->parent() == &server, "state", taken->state(), "error", taken->error()};
    Trace{"peer", taken->peerAddress(), "name", text(taken->peerName()), "port", taken->peerPort() != 0};
    Trace{"at", taken->localAddress(), "same port", taken->localPort() == server.serverPort()};
    Trace{"buffer", taken->readBufferSize(), "available", taken->bytesAvailable()};
    Trace{"LowDelay", option(*taken, LowDelay), "KeepAlive", option(*taken, KeepAlive)};
    Trace{"next is null", server.nextPendingConnection() == nullptr};
});

const Scenario blocked("signals_blocked", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    server.blockSignals(true);
    const auto clients = clientsOf(server, 2);
    settle();
    Trace{"taken", takeAll(server)};
});

const Scenario queuedSlot("queued_slot_and_a_burst", [] {
    Server server;
    Object context;
    server.listen(Address::LocalHost);
    Object::connect(
        &server, &Server::newConnection, &context,
        [&] {
            Trace{"taken", takeAll(server)};
        },
        Queued);
    const auto clients = clientsOf(server, 3);
    settle();
});

// --- limits ---

const Scenario fullQueue("limit_of_one", [] {
    Server server;
    const Watch watch(server);
    server.setMaxPendingConnections(1);
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 3);
    for (int i = 0; i != 4; ++i) {
        settle();
        Trace{"next", server.nextPendingConnection() != nullptr, "pending", server.hasPendingConnections()};
    }
});

const Scenario slotTakes("limit_of_one_and_a_slot_that_takes", [] {
    Server server;
    server.setMaxPendingConnections(1);
    server.listen(Address::LocalHost);
    Object::connect(&server, &Server::newConnection, &server, [&] { Trace{"taken", takeAll(server)}; });
    const auto clients = clientsOf(server, 5);
    settle();
});

const Scenario noneAllowed("limit_of_none", [] {
    for (const int limit : {0, -1}) {
        Server server;
        const Watch watch(server);
        server.setMaxPendingConnections(limit);
        server.listen(Address::LocalHost);
        const auto clients = clientsOf(server, 1);
        settle();
        Trace{"limit", server.maxPendingConnections(), "pending", server.hasPendingConnections()};
    }
});

const Scenario raisedLimit("limit_that_is_raised", [] {
    Server server;
    const Watch watch(server);
    server.setMaxPendingConnections(1);
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 3);
    settle();
    Trace{"raise"};
    server.setMaxPendingConnections(10);
    settle();
    Trace{"taken", takeAll(server)};
});

const Scenario loweredLimit("limit_that_is_lowered", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    auto clients = clientsOf(server, 3);
    settle();
    server.setMaxPendingConnections(2);
    clients.push_back(PlainSocket::connectedTo(server.serverPort()));
    settle();
    for (int i = 0; i != 4; ++i) {
        Trace{"next", server.nextPendingConnection() != nullptr};
        settle();
    }
});

// --- pauses ---

const Scenario paused("pause_and_resume", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    server.pauseAccepting();
    Trace{"listening", server.isListening()};
    const auto clients = clientsOf(server, 2);
    settle();
    Trace{"resume"};
    server.resumeAccepting();
    settle();
});

const Scenario pausedInSlot("pause_in_a_slot", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    Object::connect(&server, &Server::newConnection, &server, [&] { server.pauseAccepting(); });
    auto clients = clientsOf(server, 1);
    settle();
    clients.push_back(PlainSocket::connectedTo(server.serverPort()));
    settle();
    Trace{"resume"};
    server.resumeAccepting();
    settle();
});

const Scenario takeWhilePaused("take_while_paused", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    auto clients = clientsOf(server, 1);
    settle();
    server.pauseAccepting();
    clients.push_back(PlainSocket::connectedTo(server.serverPort()));
    settle();
    Trace{"next", server.nextPendingConnection() != nullptr};
    settle();
    Trace{"resume"};
    server.resumeAccepting();
    settle();
});

const Scenario pauseOfClosed("pause_a_server_that_does_not_listen", [] {
    Server server;
    server.pauseAccepting();
    server.resumeAccepting();
    Trace{"listen", server.listen(Address::LocalHost)};
});

const Scenario pauseEndsWithClose("close_ends_a_pause", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    server.pauseAccepting();
    server.close();
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 1);
    settle();
});

// --- errors ---

const Scenario exhausted("no_descriptor_for_the_first_client", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 1);
    {
        const NoDescriptorsLeft now;
        settle(150ms);
        Trace{"error", server.serverError(), "listening", server.isListening()};
    }
    Trace{"comes by itself", pumpUntil([&] { return server.hasPendingConnections(); }, 1500ms)};
    server.resumeAccepting();
    Trace{"comes", pumpUntil([&] { return server.hasPendingConnections(); })};
});

const Scenario exhaustedLater("no_descriptor_for_the_second_client", [] {
    Server server;
    server.listen(Address::LocalHost);
    auto clients = clientsOf(server, 1);
    settle();
    Trace{"taken", takeAll(server)};
    const Watch watch(server);
    clients.push_back(PlainSocket::connectedTo(server.serverPort()));
    {
        const NoDescriptorsLeft now;
        settle(150ms);
        Trace{"error", server.serverError()};
    }
    Trace{"comes by itself", pumpUntil([&] { return server.hasPendingConnections(); }, 1500ms)};
});

// --- overrides ---

class ClosingAtOnce : public Server {
  protected:
    void incomingConnection(Descriptor descriptor) override {
        Trace{"incomingConnection"};
        ::close(descriptorOf(descriptor));
    }
};

const Scenario overrideCloses("override_that_queues_nothing", [] {
    ClosingAtOnce server;
    const Watch watch(server);
    server.setMaxPendingConnections(1);
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 3);
    settle();
    Trace{"pending", server.hasPendingConnections()};
    for (const PlainSocket& client : clients)
        Trace{"client sees", endOf(client)};
});

class OwnSocket : public Server {
  protected:
    void incomingConnection(Descriptor descriptor) override {
        auto* const socket = new Socket(this);
        socket->setObjectName("own");
        Trace{"adopted", socket->setSocketDescriptor(descriptor)};
        Trace{"state", socket->state()};
        addPendingConnection(socket);
    }
};

const Scenario overrideQueues("override_that_queues_its_own_socket", [] {
    OwnSocket server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 1);
    settle();
    Socket* const taken = server.nextPendingConnection();
    Trace{"taken", text(taken->objectName()), "state", taken->state(), "peer", taken->peerAddress()};
});

class ByHand : public Server {
  public:
    using Server::addPendingConnection;
};

const Scenario addedByHand("add_a_connection_by_hand", [] {
    ByHand server;
    const Watch watch(server);
    Socket mine;
    server.setMaxPendingConnections(0);
    server.addPendingConnection(&mine);
    Trace{"pending", server.hasPendingConnections()};
    Trace{"mine", server.nextPendingConnection() == &mine};
    Trace{"parent is null", mine.parent() == nullptr};
    Trace{"pending", server.hasPendingConnections()};
});

// --- clients that change while they wait ---

const Scenario deadClient("client_that_leaves_before_it_is_taken", [] {
    Server server;
    server.listen(Address::LocalHost);
    auto clients = clientsOf(server, 1);
    settle();
    clients.front().close();
    settle();
    Trace{"pending", server.hasPendingConnections()};
    Socket* const taken = server.nextPendingConnection();
    Trace{"state", taken->state(), "error", taken->error(), "peer", taken->peerAddress()};
    const Watch watch(*taken);
    settle();
    Trace{"state", taken->state(), "error", taken->error()};
});

const Scenario earlyData("data_before_the_connection_is_taken", [] {
    Server server;
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 1);
    settle();
    clients.front().send("hello");
    settle();
    Socket* const taken = server.nextPendingConnection();
    const Watch watch(*taken);
    settle();
    Trace{"read", taken->readAll()};
});

const Scenario earlyDataTakenInSlot("data_before_a_slot_takes_the_connection", [] {
    Server server;
    server.listen(Address::LocalHost);
    Object::connect(&server, &Server::newConnection, &server, [&] { new Watch(*server.nextPendingConnection()); });
    auto clients = clientsOf(server, 1);
    clients.front().send("hello");
    clients.front().close();
    settle();
});

class Remembering : public Server {
  public:
    Socket* last = nullptr;

  protected:
    void incomingConnection(Descriptor descriptor) override {
        last = new Socket(this);
        last->setSocketDescriptor(descriptor);
        addPendingConnection(last);
    }
};

const Scenario deletedWhilePending("pending_connection_that_is_deleted", [] {
    Remembering server;
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 1);
    settle();
    delete server.last;
    Trace{"pending", server.hasPendingConnections()};
    const Socket* const taken = server.nextPendingConnection();
    Trace{"next is null", taken == nullptr};
    if (taken != nullptr)
        Trace{"state", taken->state()};
});

const Scenario otherThread("connection_that_moves_to_another_thread", [] {
    Server server;
    server.listen(Address::LocalHost);
    const auto clients = clientsOf(server, 1);
    server.waitForNewConnection(5000);
    Socket* const taken = server.nextPendingConnection();
    Thread thread;
    thread.start();
    taken->moveToThread(&thread);
    Trace{"with a parent", taken->thread() == &thread};
    taken->setParent(nullptr);
    taken->moveToThread(&thread);
    Trace{"without", taken->thread() == &thread};
    Object::connect(taken, &Socket::readyRead, taken, [taken] {
        taken->write(taken->readAll());
        taken->disconnectFromHost();
    });
    Object::connect(taken, &Socket::disconnected, taken, &Object::deleteLater);
    Object::connect(taken, &Object::destroyed, &thread, &Thread::quit);
    clients.front().send("hello");
    Trace{"comes back", clients.front().receive()};
    settle(); // for what is told to this thread
    thread.wait();
});

// --- what slots do ---

const Scenario deleteServerInSlot("delete_the_server_in_its_slot", [] {
    auto* const server = new Server;
    const Watch watch(*server);
    server->listen(Address::LocalHost);
    Object::connect(server, &Server::newConnection, server, [server] { delete server; });
    const auto clients = clientsOf(*server, 2);
    settle();
    for (const PlainSocket& client : clients)
        Trace{"client sees", endOf(client) != "nothing"};
});

const Scenario deleteSocketInSlot("delete_each_connection_at_once", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    Object::connect(&server, &Server::newConnection, &server, [&] { delete server.nextPendingConnection(); });
    const auto clients = clientsOf(server, 2);
    settle();
    for (const PlainSocket& client : clients)
        Trace{"client sees", endOf(client)};
});

const Scenario closeInSlot("close_the_server_in_its_slot", [] {
    Server server;
    const Watch watch(server);
    server.listen(Address::LocalHost);
    Object::connect(&server, &Server::newConnection, &server, [&] { server.close(); });
    const auto clients = clientsOf(server, 3);
    settle();
    Trace{"listening", server.isListening(), "pending", server.hasPendingConnections()};
});

const Scenario listenAnewInSlot("close_and_listen_in_a_slot", [] {
    Server server;
    server.listen(Address::LocalHost);
    Object::connect(&server, &Server::newConnection, &server, [&] {
        Trace{"newConnection"};
        server.close();
        Trace{"listen", server.listen(Address::LocalHost)};
    });
    clientsOf(server, 1);
    settle();
    clientsOf(server, 1);
    settle();
});

const Scenario nestedLoopInSlot("nested_loop_in_a_slot", [] {
    Server server;
    server.listen(Address::LocalHost);
    std::vector<PlainSocket> clients;
    int depth = 0;
    Object::connect(&server, &Server::newConnection, &server, [&] {
        Trace{"depth", ++depth};
        if (depth == 1) {
            clients.push_back(PlainSocket::connectedTo(server.serverPort()));
            settle();
        }
        --depth;
    });
    clients.push_back(PlainSocket::connectedTo(server.serverPort()));
    settle();
    Trace{"taken", takeAll(server)};
});

} // namespace
