#include "session.h"

#include "journal.h"

#include <string_view>

namespace echo {

namespace {

using halyard::SocketError;
using halyard::SocketState;
using halyard::StreamSocket;

// A client that sends and never reads stalls here, not in our memory: when so many bytes wait to be sent back that its
// input is left alone, and that is full too, nothing is received any more.
constexpr std::size_t readBuffer = 256 * 1024;

} // namespace

Session::Session(StreamSocket& client, const std::string& peer, std::size_t maxQueued, Journal& journal,
                 LoopMetrics& metrics)
    : Object(&client), client_(client), journal_(journal), metrics_(metrics), maxQueued_(maxQueued), peer_(peer) {
    client.setReadBufferSize(readBuffer);
    client.readyRead.connect(this, &Session::echo);
    client.bytesWritten.connect(this, &Session::count);
    client.setAllowHalfOpen(true); // so that the end of its sending is none of the errors
    client.readChannelFinished.connect(this, &Session::finish);
    client.errorOccurred.connect(this, &Session::noteError);
    client.disconnected.connect(this, &Session::end);
    LoopMetrics::add(metrics_.connections);
    LoopMetrics::add(metrics_.openConnections);
    journal.connected(peer);
}

Session::~Session() {
    LoopMetrics::subtract(metrics_.openConnections);
    LoopMetrics::subtract(metrics_.queuedBytes, taken_ - echoed_);
}

void Session::echo() {
    if (client_.bytesToWrite() < maxQueued_)
        answer();
}

/// The client has ended its side; ours ends when what is written now has been sent.
void Session::finish() {
    if (client_.state() != SocketState::Connected)
        return; // all is over
    how_ = peer_ + " closed the connection";
    answer();
    client_.disconnectFromHost();
}

void Session::noteError(SocketError error) {
    if (error == SocketError::SocketTimeout)
        return; // only a wait is over; or else the end comes, and tells
    how_ = client_.errorString();
    metrics_.count(error);
}

void Session::answer() {
    for (std::string_view bytes = client_.peek(); !bytes.empty(); bytes = client_.peek()) {
        const std::size_t size = bytes.size();
        client_.write(bytes);
        client_.skip(size);
        taken_ += size;
        LoopMetrics::add(metrics_.receivedBytes, size);
        LoopMetrics::add(metrics_.queuedBytes, size);
    }
}

void Session::count(std::int64_t written) {
    const auto bytes = static_cast<std::uint64_t>(written);
    echoed_ += bytes;
    LoopMetrics::add(metrics_.sentBytes, bytes);
    LoopMetrics::subtract(metrics_.queuedBytes, bytes);
    echo(); // readyRead does not come again for what was left alone
}

void Session::end() {
    const bool isTimeout = client_.error() == SocketError::SocketTimeout && (how_.empty() || client_.hasLostOutput());
    if (isTimeout)
        metrics_.count(SocketError::SocketTimeout);
    if (how_.empty() || isTimeout)
        how_ = client_.errorString();
    journal_.ended(how_.empty() ? "the connection to " + peer_ + " was closed here" : how_, echoed_);
}

} // namespace echo
