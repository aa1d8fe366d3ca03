// What a user of Asio writes, after its asynchronous echo server: a session that is kept by its handlers, and one
// asynchronous read and write in turn. The loop is told that it has one thread, which spares it locks.

#include "plain_socket.h"

#include <asio.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace {

using asio::ip::tcp;
using std::error_code;

class Session : public std::enable_shared_from_this<Session> {
  public:
    explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(asio::buffer(data_), [self = shared_from_this()](error_code error, std::size_t size) {
            if (!error)
                self->write(size);
        });
    }

  private:
    void write(std::size_t size) {
        asio::async_write(socket_, asio::buffer(data_, size),
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (!error)
                                  self->read();
                          });
    }

    tcp::socket socket_;
    std::array<char, 4096> data_;
};

class Server {
  public:
    explicit Server(asio::io_context& context)
        : acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
        acceptor_.listen();
        accept();
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  private:
    void accept() {
        acceptor_.async_accept([this](error_code error, tcp::socket socket) {
            if (!error)
                std::make_shared<Session>(std::move(socket))->read();
            accept();
        });
    }

    tcp::acceptor acceptor_;
};

void serve() {
    asio::io_context context(1);
    const Server server(context);
    asio::signal_set terminate(context, SIGTERM);
    terminate.async_wait([&context](error_code, int) { context.stop(); });
    bench::announce(server.port());
    context.run();
}

} // namespace

int main() { return bench::run(serve); }
