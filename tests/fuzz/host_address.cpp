// What may stand where an address, or a subnet after a line end, is asked for.
#include "demand.h"

#include <halyard/net/host_address.h>

#include <sys/socket.h>

using namespace halyard;

namespace {

void demandWhole(const HostAddress& address) {
    fuzz::demand(!address.isNull() && address.protocol() != HostAddress::Protocol::Any);
    const std::string text = address.toString();
    fuzz::demand(fuzz::isPrintable(text) && HostAddress::parse(text) == address);
    sockaddr_storage storage{};
    fuzz::demand(address.toSockaddr(storage, 4711) != 0);
    const auto* const name = reinterpret_cast<const sockaddr*>(&storage);
    fuzz::demand(HostAddress(name) == address && HostAddress::portOf(name) == 4711);
    fuzz::demand(int{address.isLoopback()} + int{address.isMulticast()} + int{address.isLinkLocal()} +
                     int{address.isUnspecified()} <=
                 1);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = fuzz::textOf(data, size);
    const auto address = HostAddress::parse(fuzz::cutLine(text));
    if (address)
        demandWhole(*address);
    const auto subnet = HostAddress::parseSubnet(text);
    if (!subnet)
        return 0;
    demandWhole(subnet->first);
    const int bits = subnet->first.protocol() == HostAddress::Protocol::IPv4 ? 32 : 128;
    fuzz::demand(subnet->second >= 0 && subnet->second <= bits && subnet->first.isInSubnet(*subnet));
    if (!address || !address->isInSubnet(*subnet))
        return 0;
    fuzz::demand(address->protocol() == subnet->first.protocol());
    for (int shorter = 0; shorter <= subnet->second; ++shorter)
        fuzz::demand(address->isInSubnet(subnet->first, shorter));
    return 0;
}
