// What a server is and says: fresh, listening, refused, closed, and with a descriptor that it is given.
#include "scenario.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace compare;

void traceState(const Server& server) {
    Trace{"listening", server.isListening(),   "port",  server.serverPort() != 0,
          "address",   server.serverAddress(), "error", server.serverError()};
}

const Scenario fresh("fresh_server", [] {
    Server server;
    traceState(server);
    Trace{"descriptor", server.socketDescriptor() >= 0};
    Trace{"error text", text(server.errorString())};
    Trace{"limit", server.maxPendingConnections()};
    Trace{"pending", server.hasPendingConnections()};
    Trace{"next is null", server.nextPendingConnection() == nullptr};
    Trace{"wait", server.waitForNewConnection()};
    server.close();
    traceState(server);
});

const Scenario backlog("backlog", [] {
    Server server;
    Trace{"default is 50", server.listenBacklogSize() == 50};
    server.setListenBacklogSize(7);
    server.listen(Address::LocalHost);
    server.setListenBacklogSize(8);
    Trace{"set", server.listenBacklogSize()};
});

// --- listening ---

const Scenario listenAtFreePort("listen_at_a_free_port", [] {
    Server server;
    Trace{"listen", server.listen(Address::LocalHost)};
    traceState(server);
    Trace{"descriptor", server.socketDescriptor() >= 0};
});

const Scenario listenByDefault("listen_by_default", [] {
    Server server;
    Trace{"listen", server.listen()};
    traceState(server);
    Trace{"Any", server.serverAddress() == Address::Any, "AnyIPv4", server.serverAddress() == Address::AnyIPv4};
});

const Scenario addressesToListenAt("listen_at_each_kind_of_address", [] {
    for (const Address& address :
         {Address(Address::LocalHost), Address("127.0.0.2"), Address(Address::LocalHostIPv6),
          Address("::ffff:127.0.0.1"), Address(Address::AnyIPv4), Address(Address::AnyIPv6), Address()}) {
        Server server;
        Trace{"at", address, server.listen(address)};
        traceState(server);
    }
});

const Scenario addressTexts("addresses_from_text", [] {
    for (const char* const from : {"127.0.0.1", " 127.0.0.1", "127.1", "010.0.0.1", "256.0.0.1", "1.2.3", "::1",
                                   "::FFFF:1.2.3.4", "[::1]", "localhost", ""})
        Trace{"from", from, Address(from)};
});

/// Clients of both families knock.
void whoGetsIn(const Address& where) {
    Server server;
    Trace{"listen", server.listen(where)};
    for (const Address& address : {Address(Address::LocalHost), Address(Address::LocalHostIPv6)}) {
        Socket client;
        client.connectToHost(address, server.serverPort());
        Trace{"by", address, client.waitForConnected(5000)};
        if (!server.waitForNewConnection(client.state() == stateConnected ? 5000 : 0))
            continue;
        const Socket* const taken = server.nextPendingConnection();
        Trace{"peer", taken->peerAddress(), "at", taken->localAddress()};
    }
}

const Scenario clientsOfAny("clients_of_any", [] { whoGetsIn(Address::Any); });
const Scenario clientsOfAnyIPv4("clients_of_any_ipv4", [] { whoGetsIn(Address::AnyIPv4); });
const Scenario clientsOfAnyIPv6("clients_of_any_ipv6", [] { whoGetsIn(Address::AnyIPv6); });
const Scenario clientsOfNull("clients_of_the_null_address", [] { whoGetsIn(Address()); });

// --- refusals ---

const Scenario listenTwice("listen_twice", [] {
    Server server;
    server.listen(Address::LocalHost);
    const auto port = server.serverPort();
    Trace{"again", server.listen(Address::Any)};
    Trace{"warnings", Application::warnings};
    Trace{"same port", server.serverPort() == port};
    traceState(server);
});

const Scenario listenAtUsedPort("listen_at_a_used_port", [] {
    Server first;
    first.listen(Address::LocalHost);
    Server second;
    Trace{"listen", second.listen(Address::LocalHost, first.serverPort())};
    traceState(second);
    Trace{"an error text", !text(second.errorString()).empty()};
    Trace{"by any address", second.listen(Address::Any, first.serverPort()), second.serverError()};
    Trace{"by the other family", second.listen(Address::AnyIPv6, first.serverPort())};
    Trace{"listening", second.isListening()};
});

const Scenario listenAtForeignAddress("listen_at_a_foreign_address", [] {
    for (const char* const address : {"192.0.2.1", "2001:db8::1"}) {
        Server server;
        Trace{"at", address, server.listen(Address(address))};
        traceState(server);
    }
});

const Scenario descriptorAfterFailure("descriptor_after_a_failed_listen", [] {
    Server first;
    first.listen(Address::LocalHost);
    Server second;
    second.listen(Address::LocalHost, first.serverPort());
    Trace{"descriptor", second.socketDescriptor() >= 0};
});

const Scenario errorAfterSuccess("server_error_after_a_later_success", [] {
    Server server;
    server.listen(Address("192.0.2.1"));
    Trace{"error", server.serverError()};
    server.close();
    Trace{"closed", server.serverError()};
    Trace{"listen", server.listen(Address::LocalHost)};
    Trace{"error", server.serverError(), "text", !text(server.errorString()).empty()};
});

// --- closing ---

const Scenario closeIsIdempotent("close_twice", [] {
    Server server;
    server.listen(Address::LocalHost);
    server.close();
    server.close();
    traceState(server);
    Trace{"descriptor", server.socketDescriptor() >= 0};
});

const Scenario listenAgain("listen_again_at_the_same_port", [] {
    Server server;
    server.listen(Address::LocalHost);
    const auto port = server.serverPort();
    PlainSocket client = PlainSocket::connectedTo(port);
    Trace{"client", server.waitForNewConnection(5000)};
    delete server.nextPendingConnection(); // this side ends first, and has the connection in TIME_WAIT
    Trace{"client sees", endOf(client)};
    client.close();
    server.close();
    Trace{"again", server.listen(Address::LocalHost, port)};
    Trace{"same port", server.serverPort() == port};
    PlainSocket::connectedTo(port);
    Trace{"client", server.waitForNewConnection(5000)};
});

const Scenario closeAndConnections("close_with_connections", [] {
    Server server;
    server.listen(Address::LocalHost);
    const PlainSocket first = PlainSocket::connectedTo(server.serverPort());
    server.waitForNewConnection(5000);
    Socket* const taken = server.nextPendingConnection();
    const PlainSocket second = PlainSocket::connectedTo(server.serverPort());
    server.waitForNewConnection(5000);
    server.close();
    Trace{"pending", server.hasPendingConnections()};
    Trace{"the pending one's client sees", endOf(second)};
    Trace{"taken", taken->state(), "its client sees", endOf(first, 30ms)};
});

const Scenario destroyWithConnection("destroy_a_server_with_a_connection", [] {
    Guarded<Socket> taken;
    PlainSocket client;
    {
        Server server;
        server.listen(Address::LocalHost);
        client = PlainSocket::connectedTo(server.serverPort());
        server.waitForNewConnection(5000);
        taken = server.nextPendingConnection();
        Trace{"child", taken->parent() == &server};
    }
    Trace{"alive", !!taken};
    Trace{"client sees", endOf(client)};
});

// --- proxies ---

const Scenario freshProxy("proxy_of_a_fresh_server", [] {
    Server server;
    Trace{"default", typeOf(server.proxy()) == proxyDefault};
    server.setProxy(proxyAt(proxyHttp, 1));
    Trace{"set", typeOf(server.proxy()) == proxyHttp};
    Trace{"application's", typeOf(Proxy::applicationProxy()) == proxyNone};
});

const Scenario proxyAndLoopback("proxy_and_a_loopback_address", [] {
    Server server;
    server.setProxy(proxyAt(proxyHttp, 1));
    Trace{"listen", server.listen(Address("127.0.0.5"))};
    traceState(server);
});

const Scenario httpProxy("http_proxy", [] {
    for (const bool own : {true, false}) {
        Server server;
        if (own)
            server.setProxy(proxyAt(proxyHttp, 1));
        else
            Proxy::setApplicationProxy(proxyAt(proxyHttp, 1));
        Trace{"listen", server.listen(Address::Any)};
        traceState(server);
        Trace{"descriptor", server.socketDescriptor() >= 0};
        server.setProxy(proxyAt(proxyNone, 0));
        Trace{"directly", server.listen(Address::Any)};
    }
});

const Scenario socksProxy("socks_proxy_that_is_not_there", [] {
    const RefusingPort nobody;
    Server server;
    server.setProxy(proxyAt(proxySocks5, nobody.port()));
    Trace{"listen", server.listen(Address::Any)};
    traceState(server);
    Socket socket;
    socket.setProxy(proxyAt(proxySocks5, nobody.port()));
    const Watch watch(socket);
    socket.connectToHost(Address::LocalHost, nobody.port());
    pumpUntil([&] { return socket.state() == stateUnconnected; });
    Trace{"error", socket.error()};
});

// --- descriptors ---

const Scenario givenListener("descriptor_that_listens", [] {
    PlainSocket listener = PlainSocket::listening();
    const int descriptor = listener.release();
    Server server;
    Trace{"set", server.setSocketDescriptor(descriptor)};
    traceState(server);
    Trace{"same", server.socketDescriptor() == descriptor};
    Trace{"non-blocking", (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) != 0};
    const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
    Trace{"client", server.waitForNewConnection(5000)};
    server.close();
    Trace{"open", ::fcntl(descriptor, F_GETFD) >= 0};
});

const Scenario givenWhileListening("descriptor_while_listening", [] {
    const PlainSocket listener = PlainSocket::listening();
    Server server;
    server.listen(Address::LocalHost);
    Trace{"set", server.setSocketDescriptor(listener.descriptor())};
    Trace{"warnings", Application::warnings};
    Trace{"same", server.socketDescriptor() == listener.descriptor()};
    traceState(server);
});

const Scenario givenClosed("descriptor_that_is_closed", [] {
    Server server;
    Trace{"set", server.setSocketDescriptor(1000)};
    traceState(server);
});

const Scenario givenNone("descriptor_minus_one", [] {
    Server server;
    Trace{"set", server.setSocketDescriptor(-1)};
    traceState(server);
});

void give(int descriptor) {
    Server server;
    Trace{"set", server.setSocketDescriptor(descriptor)};
    Trace{"listening", server.isListening(), "error", server.serverError()};
}

const Scenario givenPipe("descriptor_of_a_pipe", [] {
    int ends[2];
    if (::pipe(ends) == 0)
        give(ends[0]);
});
const Scenario givenDatagrams("descriptor_of_a_datagram_socket", [] { give(::socket(AF_INET, SOCK_DGRAM, 0)); });
const Scenario givenUnlistened("descriptor_that_does_not_listen", [] { give(::socket(AF_INET, SOCK_STREAM, 0)); });

} // namespace
