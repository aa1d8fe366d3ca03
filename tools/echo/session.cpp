#include "session.h"

#include "journal.h"

#include <cstddef>
#include <string_view>

namespace echo {

namespace {

using halyard::SocketError;
using halyard::SocketState;
using halyard::TcpSocket;

// A client that sends and never reads stalls here, not in our memory: from so many bytes on that wait to be
// sent back its input is left alone, and when that is full too, nothing is received any more.
constexpr std::size_t enoughToWrite = 1024 * 1024;
constexpr std::size_t readBuffer = 256 * 1024;

} // namespace

Session::Session(TcpSocket& client, Journal& journal) : Object(&client), client_(client), journal_(journal) {
    client.setReadBufferSize(readBuffer);
    client.readyRead.connect(this, &Session::echo);
    client.bytesWritten.connect(this, &Session::count);
    client.errorOccurred.connect(this, &Session::noteError);
    client.disconnected.connect(this, &Session::end);
    journal.connected({client.peerAddress(), client.peerPort()});
}

void Session::echo() {
    if (client_.bytesToWrite() < enoughToWrite)
        answer();
}

void Session::noteError(SocketError error) {
    if (error == SocketError::SocketTimeout)
        return; // only a wait is over
    how_ = client_.errorString();
    // The client has closed its side, and ours closes when what is written now has been sent.
    if (error == SocketError::RemoteHostClosed && client_.state() == SocketState::Connected)
        answer();
}

void Session::answer() {
    for (std::string_view bytes = client_.peek(); !bytes.empty(); bytes = client_.peek()) {
        client_.write(bytes);
        client_.skip(bytes.size());
    }
}

void Session::count(std::int64_t written) {
    echoed_ += static_cast<std::uint64_t>(written);
    journal_.echoed(static_cast<std::uint64_t>(written));
    echo(); // readyRead does not come again for what was left alone
}

void Session::end() { journal_.ended(how_.empty() ? client_.errorString() : how_, echoed_); }

} // namespace echo
