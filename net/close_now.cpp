#include "close_now.h"

#include <halyard/net/stream_socket.h>
#include <halyard/signals/pointer.h>

namespace halyard {

void closeNow(StreamSocket& connection) {
    const Pointer<StreamSocket> socket(&connection);
    socket->flush(); // what a slot has just written
    if (socket)
        socket->close();
    if (socket && socket->state() != SocketState::Unconnected)
        socket->abort(); // the peer does not take the rest
}

} // namespace halyard
