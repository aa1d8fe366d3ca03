#include "listening.h"

#include <halyard/net/tcp_server.h>

#include <cerrno>
#include <system_error>

#include <fcntl.h>

namespace echo {

namespace {

using Kind = ListenAddress::Kind;
using Loops = std::vector<std::unique_ptr<EchoLoop>>;

/// A loop that gets no socket of its own accepts from a duplicate of another's.
std::optional<std::string> share(const Loops& loops, std::vector<int> descriptors, const ListenAddress& address) {
    const std::size_t own = descriptors.size();
    for (std::size_t next = own; next < loops.size(); ++next) {
        const int duplicate = ::fcntl(descriptors[next % own], F_DUPFD_CLOEXEC, 0);
        if (duplicate < 0)
            return "cannot share the socket of " + address.text + ": " + std::generic_category().message(errno);
        descriptors.push_back(duplicate);
    }
    for (std::size_t i = 0; i != descriptors.size(); ++i)
        if (EchoLoop& loop = *loops[i % loops.size()]; !loop.adopt(descriptors[i], address))
            return loop.errorString();
    return std::nullopt;
}

std::optional<std::string> open(const Loops& loops, const ListenAddress& address) {
    EchoLoop& first = *loops.front();
    if (!first.listen(address, address.endpoint))
        return first.errorString();
    halyard::StreamServer& opened = *first.listeners().back().server;
    halyard::Endpoint at = address.endpoint;
    if (address.kind == Kind::Tcp)
        at.port = static_cast<halyard::TcpServer&>(opened).serverPort();
    for (std::size_t i = 1; i != loops.size(); ++i) {
        EchoLoop& loop = *loops[i];
        const bool listens = address.kind == Kind::Tcp
                                 ? loop.listen(address, at)
                                 : loop.adopt(::fcntl(opened.socketDescriptor(), F_DUPFD_CLOEXEC, 0), address);
        if (!listens)
            return loop.errorString();
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> listenEverywhere(const Loops& loops, const ServeOptions& options, Inheritance& inheritance) {
    std::optional<std::string> failure;
    for (const ListenAddress& each : options.listen) {
        std::vector<int> inherited = each.kind == Kind::Systemd ? std::vector<int>() : inheritance.take(each.text);
        if (inherited.empty() && each.kind == Kind::Descriptor)
            inherited.push_back(each.descriptor);
        if (!inherited.empty())
            failure = share(loops, std::move(inherited), each);
        else if (each.kind != Kind::Systemd)
            failure = open(loops, each);
        if (failure)
            return failure;
    }
    for (const ListenAddress& each : options.listen) {
        if (each.kind != Kind::Systemd)
            continue;
        std::vector<int> rest = inheritance.takeRest();
        if (rest.empty())
            return "systemd has handed over no socket: start this by a socket unit";
        return share(loops, std::move(rest), each);
    }
    return std::nullopt;
}

} // namespace echo
