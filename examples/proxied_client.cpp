// Talks to a server by a proxy: proxied_client PROXY HOST PORT TEXT, as in
// proxied_client socks5://user:password@proxy.example:1080 echo.example 7 hello
#include <halyard/core/event_loop.h>
#include <halyard/net/network_proxy.h>
#include <halyard/net/tcp_socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace halyard;

int main(int argc, char** argv) {
    const auto proxy = argc == 5 ? NetworkProxy::parse(argv[1]) : std::nullopt;
    if (!proxy) {
        std::fputs("usage: proxied_client PROXY HOST PORT TEXT\n", stderr);
        return 2;
    }
    const std::string host = argv[2];
    const auto port = static_cast<std::uint16_t>(std::strtol(argv[3], nullptr, 10));
    const std::string text = argv[4];

    EventLoop loop;
    TcpSocket socket;
    socket.setProxy(*proxy);
    socket.connected.connect([&] { socket.write(text); });
    socket.readyRead.connect([&] {
        if (socket.bytesAvailable() >= text.size()) {
            std::printf("%s\n", socket.readAll().c_str());
            loop.exit(0);
        }
    });
    socket.errorOccurred.connect([&](SocketError) {
        std::fprintf(stderr, "%s\n", socket.errorString().c_str());
        loop.exit(1);
    });
    socket.connectToHost(host, port);
    return loop.exec();
}
