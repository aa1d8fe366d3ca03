// What a SOCKS5 proxy may say. The first byte chooses what it is asked, the second in what pieces it answers.
#include "socks5_handshake.h"

#include "handshake.h"

using namespace halyard;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2)
        return 0;
    const char* const host = (data[0] & 4U) != 0 ? "host.example" : (data[0] & 8U) != 0 ? "2001:db8::1" : "192.0.2.1";
    Socks5Handshake handshake((data[0] & 1U) != 0 ? Socks5Handshake::Command::Bind : Socks5Handshake::Command::Connect,
                              host, 80, (data[0] & 2U) != 0 ? "user" : "", (data[0] & 2U) != 0 ? "secret" : "");
    fuzz::converse(handshake, fuzz::textOf(data + 2, size - 2), data[1] + 1U);
    return 0;
}
