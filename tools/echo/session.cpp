#include "session.h"

#include "journal.h"

#include <halyard/net/endpoint.h>

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

Session::Session(TcpSocket& client, Journal& journal)
    : Object(&client),
      client_(client),
      journal_(journal),
      peer_(halyard::Endpoint{client.peerAddress(), client.peerPort()}.toString()) {
    client.setReadBufferSize(readBuffer);
    client.readyRead.connect(this, &Session::echo);
    client.bytesWritten.connect(this, &Session::count);
    client.errorOccurred.connect(this, &Session::echoRest);
    client.disconnected.connect(this, &Session::end);
    journal.connected(peer_);
}

void Session::echo() {
    if (client_.bytesToWrite() < enoughToWrite)
        answer();
}

/// The client has closed its side, and ours closes when what is written now has been sent.
void Session::echoRest(SocketError error) {
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

void Session::end() {
    const std::string how = client_.errorString();
    journal_.ended(how.empty() ? peer_ + " is disconnected" : how, echoed_);
}

} // namespace echo
