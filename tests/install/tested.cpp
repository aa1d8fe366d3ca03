// A test of a program outside the tree: a fault in the installed library, by the installed halyard-testing.

#include <halyard/net/tcp_socket.h>
#include <halyard/testing/faults.h>

#include <cerrno>
#include <iostream>

int main() {
    using namespace halyard::testing;
    Faults faults;
    faults.fail(Call::Socket, EMFILE, When::once());
    halyard::TcpSocket socket;
    socket.connectToHost(halyard::HostAddress::LocalHost, 7007);
    socket.waitForConnected(5000);
    std::cout << (socket.error() == halyard::SocketError::SocketResource && faults.injected() == 1 ? "ahoy" : "alas")
              << '\n';
}
