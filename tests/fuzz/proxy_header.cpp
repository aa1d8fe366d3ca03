// What a balancer may say before a connection's own bytes. The first byte chooses in what pieces it comes, the second
// how long a header may be.
#include "demand.h"

#include <halyard/net/proxy_header.h>

using namespace halyard;

namespace {

using State = ProxyHeaderParser::State;

void demandSame(const ProxyHeaderParser& one, const ProxyHeaderParser& other) {
    fuzz::demand(one.state() == other.state() && one.error() == other.error());
    fuzz::demand(one.header().source == other.header().source &&
                 one.header().destination == other.header().destination &&
                 one.header().extensions == other.header().extensions);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2)
        return 0;
    const std::size_t piece = data[0] + 1U;
    const std::size_t longest = data[1] * 16U;
    const std::string_view bytes = fuzz::textOf(data + 2, size - 2);

    ProxyHeaderParser whole(longest);
    const std::size_t taken = whole.consume(bytes);
    fuzz::demand(taken <= bytes.size() && (whole.state() != State::Incomplete || taken == bytes.size()));
    fuzz::demand(taken <= std::max<std::size_t>(longest, 107));
    fuzz::demand(whole.error().empty() == (whole.state() != State::Invalid) && fuzz::isPrintable(whole.error()));

    // In pieces it is the same.
    ProxyHeaderParser pieces(longest);
    std::size_t takenOfPieces = 0;
    while (takenOfPieces != bytes.size() && pieces.state() == State::Incomplete)
        takenOfPieces += pieces.consume(bytes.substr(takenOfPieces, piece));
    fuzz::demand(takenOfPieces == taken || whole.state() == State::Invalid);
    demandSame(whole, pieces);
    fuzz::demand(whole.state() == State::Incomplete || whole.consume("more") == 0);

    // No header is complete before its last byte.
    if (whole.state() == State::Complete) {
        ProxyHeaderParser shorter(longest);
        fuzz::demand(shorter.consume(bytes.substr(0, taken - 1)) == taken - 1 && shorter.state() == State::Incomplete);
    }
    for (unsigned type = 0; type != 256; ++type) {
        const auto value = whole.header().extension(static_cast<std::uint8_t>(type));
        fuzz::demand(!value || value->size() + 3 <= whole.header().extensions.size());
    }
    return 0;
}
