// A program outside the tree, with nothing but the installed library: a server and a client in one loop.

#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>
#include <halyard/version.h>

#if !__has_include(<halyard/adapters/asio.h>)
#error The adapters are not there.
#endif

#include <iostream>
#include <sstream>
#include <string>

int main() {
    std::ostringstream compiledWith;
    compiledWith << HALYARD_VERSION_MAJOR << '.' << HALYARD_VERSION_MINOR << '.' << HALYARD_VERSION_PATCH;
    if (compiledWith.str() != halyard::version()) {
        std::cerr << "the headers are of " << compiledWith.str() << ", the library is " << halyard::version() << '\n';
        return 1;
    }

    halyard::TcpServer server;
    server.newConnection.connect([&server] {
        halyard::TcpSocket* peer = server.nextPendingConnection();
        peer->readyRead.connect([peer] { peer->write(peer->readAll()); });
        peer->disconnected.connect([peer] { peer->deleteLater(); });
    });
    if (!server.listen(halyard::HostAddress::LocalHost)) {
        std::cerr << server.errorString() << '\n';
        return 1;
    }

    halyard::EventLoop& loop = *halyard::EventLoop::current();
    halyard::TcpSocket client;
    const std::string greeting = "ahoy";
    std::string echo;
    client.connected.connect([&] { client.write(greeting); });
    client.readyRead.connect([&] {
        echo += client.readAll();
        if (echo.size() >= greeting.size())
            loop.quit();
    });
    client.errorOccurred.connect([&] {
        std::cerr << client.errorString() << '\n';
        loop.exit(1);
    });
    client.connectToHost(server.serverAddress(), server.serverPort());

    const int status = loop.exec();
    std::cout << echo << '\n';
    return status;
}
