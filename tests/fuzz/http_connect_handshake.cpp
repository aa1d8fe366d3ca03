// What an HTTP proxy may answer to CONNECT. The first byte chooses what it is asked, the second in what pieces it
// answers.
#include "http_connect_handshake.h"

#include "handshake.h"

using namespace halyard;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2)
        return 0;
    const bool isKnown = (data[0] & 1U) != 0;
    HttpConnectHandshake handshake((data[0] & 2U) != 0 ? "2001:db8::1" : "host.example", 80, isKnown ? "user" : "",
                                   isKnown ? "secret" : "");
    fuzz::converse(handshake, fuzz::textOf(data + 2, size - 2), data[1] + 1U);
    return 0;
}
