#include "close_now.h"

#include "emissions.h"

#include <halyard/net/stream_socket.h>
#include <halyard/signals/pointer.h>

namespace halyard {

void closeNow(StreamSocket& connection) {
    const Pointer<StreamSocket> socket(&connection);
    Emissions emissions;
    emissions.make([&] { socket->flush(); }); // what a slot has just written
    if (socket)
        emissions.make([&] { socket->close(); });
    if (socket && socket->state() != SocketState::Unconnected)
        emissions.make([&] { socket->abort(); }); // the peer does not take the rest
    emissions.end();
}

} // namespace halyard
