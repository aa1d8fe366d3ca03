// A chat of lines: what one writes, all others get, with a number for the name. Whoever is too slow to read has to go,
// and so has whoever writes a line without an end: memory stays bounded.
#include <halyard/core/event_loop.h>
#include <halyard/net/frame_reader.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace halyard;

namespace {

constexpr std::size_t longestLine = 1024;
constexpr std::size_t mostUnread = 32 * 1024; // what may wait for a guest

class Room;

class Guest : public Object {
  public:
    Guest(Room& room, TcpSocket* socket, int number);

    void tell(std::string_view text) {
        if (socket_->state() == SocketState::Connected && socket_->write(text) < 0)
            socket_->abort(); // too slow
    }

  private:
    void listen();

    Room& room_;
    TcpSocket* socket_;
    FrameReader lines_{*socket_, longestLine};
    std::string name_;
};

class Room : public Object {
  public:
    void admit(TcpSocket* socket) { guests_.push_back(new Guest(*this, socket, ++visitors_)); }
    void dismiss(Guest* guest) {
        std::erase(guests_, guest);
        guest->deleteLater();
    }
    void say(const Guest* who, const std::string& text) {
        const std::vector<Guest*> all = guests_; // a guest that is too slow leaves meanwhile
        for (Guest* const each : all)
            if (each != who)
                each->tell(text);
    }

  private:
    std::vector<Guest*> guests_;
    int visitors_ = 0;
};

Guest::Guest(Room& room, TcpSocket* socket, int number)
    : Object(&room), room_(room), socket_(socket), name_("guest " + std::to_string(number)) {
    socket_->setParent(this);
    socket_->setWriteBufferLimit(mostUnread);
    socket_->setSocketOption(SocketOption::LowDelay, 1);
    socket_->setSocketOption(SocketOption::SendBufferSize, 32 * 1024); // the system's memory is bounded, too
    socket_->readyRead.connect(this, &Guest::listen);
    socket_->disconnected.connect(this, [this] { room_.dismiss(this); });
    tell("welcome, " + name_ + "\n");
}

void Guest::listen() {
    while (const auto line = lines_.readLine())
        room_.say(this, name_ + ": " + *line + "\n");
    if (lines_.isTooLong())
        socket_->abort();
}

} // namespace

int main(int argc, char** argv) {
    EventLoop loop;
    Room room;
    TcpServer server;

    server.newConnection.connect([&] {
        while (TcpSocket* client = server.nextPendingConnection())
            room.admit(client);
    });

    const auto port = static_cast<std::uint16_t>(argc > 1 ? std::strtol(argv[1], nullptr, 10) : 0);
    if (!server.listen(HostAddress::LocalHost, port)) {
        std::fprintf(stderr, "%s\n", server.errorString().c_str());
        return 1;
    }
    std::printf("listening on port %d\n", server.serverPort());
    std::fflush(stdout);
    return loop.exec();
}
