// What may stand where a host's name is asked for, or the name of a Unix-domain socket.
#include "host_name.h"
#include "demand.h"
#include "local_name.h"

using namespace halyard;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::textOf(data, size);
    if (const auto answer = answerWithoutAsking(text)) {
        fuzz::demand(answer->addresses.empty() == (answer->error != SocketError::None));
        fuzz::demand(answer->addresses.empty() == !answer->cause.empty());
    } else {
        // Somebody is asked: it is a name, and none that could be taken for an address.
        fuzz::demand(!text.empty() && text.size() <= 254 && text.find_first_of(":%[]/\0 \n") == std::string_view::npos);
    }
    const std::string shown = printable(text);
    fuzz::demand(shown.size() <= 253 && shown.find_first_of("\0\n\r\x1b\x7f") == std::string::npos);

    const LocalName name(text);
    if (name.error == 0)
        fuzz::demand(LocalName::of(*name.sockaddrPointer(), name.size) == text);
    for (socklen_t length = 0; length <= sizeof name.address; ++length) // whatever the kernel tells of
        LocalName::of(*name.sockaddrPointer(), length);
    return 0;
}
