// What an operator may write where halyard-echo asks for an address: to listen at, or of a peer.
#include "demand.h"

#include "listen_address.h"
#include "peer_address.h"

using namespace halyard;

namespace {

void listenAt(const std::string& text) {
    const auto address = echo::parseListenAddress(text);
    if (!address)
        return;
    using Kind = echo::ListenAddress::Kind;
    fuzz::demand(address->text == text);
    fuzz::demand((address->kind == Kind::Unix) == !address->path.empty());
    fuzz::demand((address->kind == Kind::Descriptor) == (address->descriptor >= 0));
    fuzz::demand(address->kind != Kind::Tcp || !address->endpoint.address.isNull());
    if (address->kind == Kind::Descriptor) // whatever is in front of a number makes it another one
        fuzz::demand(address->descriptor == std::stoi(text.substr(3)));
    if (address->kind == Kind::Tcp)
        fuzz::demand(echo::parseEndpointOrPort(address->endpoint.toString()) == address->endpoint);
}

void connectTo(const std::string& text) {
    const auto peer = echo::parsePeerAddress(text);
    if (!peer)
        return;
    fuzz::demand(!peer->text.empty() && peer->path.empty() != peer->host.empty());
    if (!peer->path.empty())
        return;
    fuzz::demand(peer->host.find_first_of("[]/* ") == std::string::npos);
    const auto again = echo::parsePeerAddress(peer->text);
    fuzz::demand(again && again->host == peer->host && again->port == peer->port);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(fuzz::textOf(data, size));
    listenAt(text);
    connectTo(text);
    return 0;
}
