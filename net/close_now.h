#pragma once

namespace halyard {

class StreamSocket;

/// Ends a connection without waiting for its peer: what was written goes as far as the kernel takes it, the socket's
/// slots hear of the end, and may delete it; what one of them throws leaves when all is done.
void closeNow(StreamSocket& connection);

} // namespace halyard
