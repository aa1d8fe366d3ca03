// What may stand where an address and a port are asked for.
#include "demand.h"

#include <halyard/net/endpoint.h>

using namespace halyard;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::textOf(data, size);
    const auto endpoint = parseEndpoint(text);
    if (!endpoint)
        return 0;
    fuzz::demand(text.find(':') != std::string_view::npos && !endpoint->address.isNull());
    const std::string shown = endpoint->toString();
    fuzz::demand(fuzz::isPrintable(shown) && parseEndpoint(shown) == endpoint);
    return 0;
}
