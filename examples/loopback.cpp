// A server and a client in one loop, with 50 MB from one to the other: loopback [BYTES]
// The client writes only what is asked for: memory stays small, however much there is to send.
#include <halyard/core/event_loop.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace halyard;

namespace {

constexpr std::int64_t payload = 64 * 1024;

class Loopback : public Object {
  public:
    explicit Loopback(std::int64_t total) : total_(total) {
        server_.newConnection.connect(this, &Loopback::accept);
        client_.connected.connect(this, &Loopback::sendMore);
        client_.bytesWritten.connect(this, &Loopback::tellProgress);
        client_.errorOccurred.connect(this, [this] { fail(client_.errorString()); });
    }

    void start() {
        if (!server_.listen(HostAddress::LocalHost))
            return fail(server_.errorString());
        client_.connectToHost(server_.serverAddress(), server_.serverPort());
    }

    Signal<int> finished{this}; ///< With the program's exit code.

  private:
    void accept() {
        TcpSocket* const receiver = server_.nextPendingConnection();
        if (receiver == nullptr)
            return fail("the client is gone already");
        server_.close(); // one is enough; the connection lives on
        receiver->readyRead.connect(this, [this, receiver] {
            received_ += static_cast<std::int64_t>(receiver->bytesAvailable());
            receiver->skip(receiver->bytesAvailable());
        });
        receiver->disconnected.connect(this, &Loopback::tellTotals);
    }

    /// At most four payloads wait in the client at any time.
    void sendMore() {
        while (queued_ != total_ && client_.bytesToWrite() <= 3 * payload) {
            const std::int64_t size = std::min(payload, total_ - queued_);
            client_.write(std::string(static_cast<std::size_t>(size), '@'));
            queued_ += size;
        }
        if (queued_ == total_)
            client_.disconnectFromHost(); // when all of it has gone
    }

    void tellProgress(std::int64_t bytes) {
        const std::int64_t tenthsBefore = sent_ * 10 / total_;
        sent_ += bytes;
        if (const std::int64_t tenths = sent_ * 10 / total_; tenths != tenthsBefore)
            std::printf("%3d %% sent, %lld bytes received\n", static_cast<int>(tenths * 10),
                        static_cast<long long>(received_));
        sendMore();
    }

    void tellTotals() {
        std::printf("sent %lld bytes, received %lld bytes\n", static_cast<long long>(sent_),
                    static_cast<long long>(received_));
        finished(sent_ == total_ && received_ == total_ ? 0 : 1);
    }

    void fail(const std::string& why) {
        std::fprintf(stderr, "%s\n", why.c_str());
        finished(1);
    }

    TcpServer server_;
    TcpSocket client_;
    std::int64_t total_;
    std::int64_t queued_ = 0;
    std::int64_t sent_ = 0;
    std::int64_t received_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    const std::int64_t total = argc > 1 ? std::strtoll(argv[1], nullptr, 10) : 50 * 1024 * 1024;
    if (total <= 0) {
        std::fputs("usage: loopback [BYTES]\n", stderr);
        return 2;
    }
    EventLoop loop;
    Loopback loopback(total);
    loopback.finished.connect(&loop, &EventLoop::exit);
    loop.post([&] { loopback.start(); });
    return loop.exec();
}
