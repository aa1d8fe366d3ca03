#include "service.h"

#include "session.h"

#include <halyard/net/tcp_socket.h>

#include <algorithm>
#include <cstddef>

#include <unistd.h>

namespace soak {

using halyard::HostAddress;
using halyard::SocketOption;
using halyard::TcpSocket;

Service::Service(Ledger& ledger)
    : ledger_(ledger), pooled_(pool_, [&ledger](TcpSocket* client) { new Session(*client, ledger, true); }) {
    serve(tcp_);
    serve(local_);
    tcp_.listen(HostAddress::LocalHost);
    pooled_.listen(HostAddress::LocalHost);
    local_.listen("@halyard-soak-" + std::to_string(::getpid()));
    socks_.listen(HostAddress::LocalHost);
    http_.listen(HostAddress::LocalHost);
}

template <class Server>
void Service::serve(Server& server) {
    server.newConnection.connect([this, &server] {
        while (auto* const client = server.nextPendingConnection()) {
            ++served_;
            if constexpr (requires { client->setSocketOption(SocketOption::SendBufferSize, 0); })
                if (served_ % 4 == 0)
                    client->setSocketOption(SocketOption::SendBufferSize, 8 * 1024);
            new Session(*client, ledger_, served_ % 2 == 0);
        }
    });
}

std::string Service::failure() const {
    for (const halyard::StreamServer* const each :
         std::initializer_list<const halyard::StreamServer*>{&tcp_, &pooled_, &local_, &socks_, &http_})
        if (!each->isListening())
            return each->errorString();
    return pool_.isValid() ? "" : "no thread can be started";
}

bool Service::isIdle() const {
    const auto loads = pool_.loads();
    return ledger_.sessions == 0 && socks_.children().empty() && http_.children().empty() &&
           std::all_of(loads.begin(), loads.end(), [](std::size_t load) { return load == 0; });
}

} // namespace soak
