// Servers that share a port.
#include <halyard/core/event_loop.h>
#include <halyard/core/thread.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <doctest/doctest.h>
#include <plain_socket.h>

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;

namespace {

/// An echo server that shares its port, made and run on a thread of its own.
class SharingServer {
  public:
    explicit SharingServer(std::uint16_t wanted = 0) {
        REQUIRE(thread_.start());
        std::promise<std::uint16_t> listening;
        thread_.eventLoop()->post([&] {
            auto* const server = new TcpServer;
            thread_.finished.connect(server, &Object::deleteLater);
            server->newConnection.connect([this, server] {
                while (TcpSocket* const client = server->nextPendingConnection()) {
                    ++served;
                    client->readyRead.connect(client, [client] { client->write(client->readAll()); });
                    client->disconnected.connect(client, &Object::deleteLater);
                }
            });
            server->setReusePort(true);
            server->listen(HostAddress::LocalHost, wanted);
            listening.set_value(server->serverPort());
        });
        port = listening.get_future().get();
    }

    std::uint16_t port = 0;
    std::atomic<int> served = 0;

  private:
    Thread thread_;
};

} // namespace

TEST_CASE("servers on several threads share the clients of a port: each gets some, and none is lost") {
    std::vector<std::unique_ptr<SharingServer>> servers;
    servers.push_back(std::make_unique<SharingServer>());
    const std::uint16_t port = servers.front()->port;
    REQUIRE(port != 0);
    for (int i = 0; i != 3; ++i)
        CHECK(servers.emplace_back(std::make_unique<SharingServer>(port))->port == port);

    std::vector<PlainSocket> clients;
    for (int i = 0; i != 240; ++i) {
        clients.push_back(PlainSocket::connectedTo(port));
        clients.back().send("client " + std::to_string(i));
    }
    for (std::size_t i = 0; i != clients.size(); ++i) {
        const std::string sent = "client " + std::to_string(i);
        CHECK(clients[i].receive(sent.size()) == sent);
    }
    int all = 0;
    for (const auto& each : servers) {
        CHECK(each->served > 0);
        all += each->served;
    }
    CHECK(all == 240);
}

TEST_CASE("a port is shared among those that ask for it, and with nobody else") {
    TcpServer sharing;
    sharing.setReusePort(true);
    REQUIRE(sharing.listen(HostAddress::LocalHost));
    TcpServer other;
    CHECK_FALSE(other.listen(HostAddress::LocalHost, sharing.serverPort()));
    CHECK(other.serverError() == SocketError::AddressInUse);
    other.setReusePort(true);
    CHECK(other.listen(HostAddress::LocalHost, sharing.serverPort()));
    other.close();
    other.setReusePort(false);
    CHECK_FALSE(other.listen(HostAddress::LocalHost, sharing.serverPort()));
}
