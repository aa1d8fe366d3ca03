// Asks for a fortune, with no loop in sight: blocking_fortune_client HOST PORT
#include <halyard/net/tcp_socket.h>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace halyard;

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fputs("usage: blocking_fortune_client HOST PORT\n", stderr);
        return 2;
    }
    constexpr int patience = 5000; // milliseconds
    TcpSocket socket;
    socket.connectToHost(std::string(argv[1]), static_cast<std::uint16_t>(std::strtol(argv[2], nullptr, 10)));
    if (socket.waitForConnected(patience)) {
        std::string fortune;
        do
            fortune += socket.readAll();
        while (socket.waitForReadyRead(patience));
        if (socket.error() == SocketError::RemoteHostClosed) { // as it should, after the fortune
            std::fputs(fortune.c_str(), stdout);
            return 0;
        }
    }
    std::fprintf(stderr, "%s\n", socket.errorString().c_str());
    return 1;
}
