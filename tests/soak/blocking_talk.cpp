#include "blocking_talk.h"

#include "byte_stream.h"
#include "session.h"

#include <halyard/net/tcp_socket.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace soak {

using halyard::HostAddress;
using halyard::TcpSocket;

class BlockingTalk::Talker : public halyard::Thread {
  public:
    Talker(Dice dice, std::uint16_t port, Ledger& ledger) : dice_(dice), port_(port), ledger_(ledger) {}
    ~Talker() override { wait(); }

  protected:
    void run() override {
        const Opening opening{dice_.number(), dice_.between(1, 64 * 1024), Opening::Echo | Opening::AllWillCome};
        ByteStream sent(opening.key);
        ByteStream received(opening.key);
        TcpSocket socket;
        socket.connectToHost(HostAddress::LocalHost, port_);
        if (!socket.waitForConnected()) {
            ledger_.wrong("waitForConnected(): " + socket.errorString());
            return;
        }
        socket.write(std::string_view(reinterpret_cast<const char*>(&opening), sizeof opening));
        while (received.position() != opening.total) {
            const auto left = static_cast<std::size_t>(opening.total - sent.position());
            if (left != 0)
                socket.write(sent.next(std::min(left, dice_.between(1, 16 * 1024))));
            while (received.position() != sent.position()) {
                if (socket.atEnd() && !socket.waitForReadyRead()) {
                    ledger_.wrong("waitForReadyRead(): " + socket.errorString());
                    return;
                }
                const std::string bytes = socket.readAll();
                if (!received.expects(bytes)) {
                    ledger_.wrong("a blocking conversation got back other bytes than it sent");
                    return;
                }
                ledger_.bytesReturned += bytes.size();
            }
        }
        socket.disconnectFromHost();
        if (!socket.waitForDisconnected())
            ledger_.wrong("waitForDisconnected(): " + socket.errorString());
    }

  private:
    Dice dice_;
    const std::uint16_t port_;
    Ledger& ledger_;
};

BlockingTalk::BlockingTalk(Dice dice, const Service& service, Ledger& ledger)
    : Visit(ledger),
      talker_(std::make_unique<Talker>(dice, dice.oneIn(2) ? service.pooledPort() : service.tcpPort(), ledger)) {
    talker_->finished.connect(this, [this] { end(); });
}

BlockingTalk::~BlockingTalk() = default;

void BlockingTalk::begin() {
    ledger().count("conversations by waits");
    if (talker_->start())
        return;
    ledger().wrong("a thread could not be started");
    end();
}

} // namespace soak
