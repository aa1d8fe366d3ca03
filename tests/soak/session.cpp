#include "session.h"

#include "breakage.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace soak {

namespace {

constexpr std::size_t lowWater = 16 * 1024;
constexpr std::size_t highWater = 64 * 1024;

} // namespace

Session::Session(halyard::StreamSocket& client, Ledger& ledger, bool mayBeHalfOpen)
    : Object(&client), client_(client), ledger_(ledger) {
    ++ledger.sessions;
    if (breaks("memory"))
        static_cast<void>(::operator new(4096));
    client.setAllowHalfOpen(mayBeHalfOpen);
    client.setWriteBufferWatermarks(lowWater, highWater);
    client.readyRead.connect(this, &Session::receive);
    client.writeBufferFull.connect(this, [this] { client_.pauseReading(); });
    client.writeBufferDrained.connect(this, [this] { client_.resumeReading(); });
    client.readChannelFinished.connect(this, [this] { client_.disconnectFromHost(); });
    client.disconnected.connect(this, [this] {
        judge();
        client_.deleteLater();
    });
}

void Session::receive() {
    if (!stream_) {
        std::array<std::byte, sizeof(Opening)> bytes{};
        if (client_.bytesAvailable() < bytes.size())
            return;
        client_.read(bytes);
        std::memcpy(&opening_, bytes.data(), bytes.size());
        stream_.emplace(opening_.key);
    }
    while (!client_.atEnd() && !isBroken_)
        takePiece();
    if ((opening_.flags & Opening::ServerEnds) != 0 && stream_->position() == opening_.total)
        client_.disconnectFromHost();
}

void Session::takePiece() {
    const std::string_view piece = client_.peek();
    if (!stream_->expects(piece)) {
        ledger_.wrong("a session received other bytes than were sent, after " + std::to_string(stream_->position()));
        isBroken_ = true;
        client_.abort();
        return;
    }
    ledger_.bytesServed += piece.size();
    if ((opening_.flags & Opening::Echo) != 0 && breaks("byte"))
        client_.write(std::string(piece.size(), '?'));
    else if ((opening_.flags & Opening::Echo) != 0)
        client_.write(piece);
    client_.skip(piece.size());
}

void Session::judge() const {
    if (stream_ && !isBroken_ && (opening_.flags & Opening::AllWillCome) != 0 && stream_->position() != opening_.total)
        ledger_.wrong("a session received " + std::to_string(stream_->position()) + " of " +
                      std::to_string(opening_.total) + " bytes; it ended by: " + client_.errorString());
}

} // namespace soak
