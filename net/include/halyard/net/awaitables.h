#pragma once

#include <halyard/core/suspension.h>
#include <halyard/core/task.h>
#include <halyard/net/frame_reader.h>
#include <halyard/net/host_address.h>
#include <halyard/net/socket_types.h>
#include <halyard/net/stream_server.h>
#include <halyard/net/stream_socket.h>
#include <halyard/net/tcp_socket.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

/// @file
/// What a Task awaits of sockets and servers.
///
///     Task<> greet(TcpSocket& client) {
///         while (const auto name = co_await readLine(client, 30s))
///             client.write("hello, " + *name + '\n');
///         client.deleteLater();
///     }
///     Task<> serve(TcpServer& server) {
///         while (const auto client = co_await nextConnection(server))
///             start(*client, greet(**client));
///     }
///
/// Each gives an Awaited: a value, or an error, which is a SocketError where the socket or server has one,
/// SocketTimeout when the time is over, std::errc::operation_canceled in a cancelled task, and std::errc::owner_dead
/// where the socket or server was deleted. Nothing is lost by an await that has ended early: what came is there for the
/// next one.
namespace halyard {

/// What a wait wants to be told of a socket, besides its end.
enum class SocketNews : std::uint8_t { Bytes = 1, Sent, Connected };

/// A wait for one object of net, which it listens to by the task's Watch of that.
template <class T>
class NetworkWait : public Await<T> {
  protected:
    using Await<T>::Await;
    /// For this, or the socket's end.
    NetworkWait(StreamSocket& socket, SocketNews news, Until until) noexcept
        : Await<T>(until, socket, static_cast<std::uint8_t>(news)) {}

    /// Time that is over is the network's error.
    bool interrupted(std::error_code why) override {
        return this->fail(why == std::errc::timed_out ? make_error_code(SocketError::SocketTimeout) : why);
    }
};

/// See readable().
class HALYARD_API BytesWait : public NetworkWait<void> {
  public:
    /// Of this socket.
    BytesWait(StreamSocket& socket, Until until) noexcept
        : NetworkWait(socket, SocketNews::Bytes, until), socket_(socket) {}

    /// @cond
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> task) {
        return NetworkWait::await_suspend(task, socket_.bytesAvailable() == 0 && socket_.isReceiving());
    }
    /// @endcond

  protected:
    StreamSocket& socket() const noexcept { return socket_; } ///< Whose bytes.

  private:
    bool look() final;
    void begin() final;

    StreamSocket& socket_;
};

/// See readSome(). What has come is taken when the task goes on.
class SomeWait final : public BytesWait {
  public:
    using BytesWait::BytesWait;
    /// What `co_await` gives.
    Awaited<std::string> await_resume() {
        if (failure())
            return *failure();
        return {std::in_place, [this] { return socket().readAll(); }};
    }
};

/// See readExactly(), readLine() and readUntil().
class HALYARD_API FrameWait final : public NetworkWait<std::string> {
  public:
    /// A frame of `size` bytes.
    FrameWait(StreamSocket& socket, Until until, std::size_t size) noexcept
        : NetworkWait(socket, SocketNews::Bytes, until), frames_(socket, size), size_(size), socket_(socket) {}
    /// One that ends with `delimiter`, or, where that is empty, with the line.
    FrameWait(StreamSocket& socket, Until until, std::string delimiter, std::size_t longest) noexcept
        : NetworkWait(socket, SocketNews::Bytes, until),
          frames_(socket, longest),
          delimiter_(std::move(delimiter)),
          socket_(socket) {}

  private:
    bool look() override;
    void begin() override;

    FrameReader frames_;
    std::optional<std::size_t> size_;
    std::string delimiter_;
    StreamSocket& socket_;
};

/// See writeDrained().
class HALYARD_API DrainWait final : public NetworkWait<void> {
  public:
    /// Of this socket, down to so many bytes.
    DrainWait(StreamSocket& socket, Until until, std::size_t atMost) noexcept
        : NetworkWait(socket, SocketNews::Sent, until), socket_(socket), atMost_(atMost) {}

  private:
    bool look() override;
    void begin() override;

    StreamSocket& socket_;
    std::size_t atMost_;
};

/// All bytes that have come and were not read: at least one.
inline SomeWait readSome(StreamSocket& socket, Until until = {}) noexcept { return {socket, until}; }
/// So many bytes, no more and no fewer. std::errc::message_size where the socket's read limit does not allow them.
inline FrameWait readExactly(StreamSocket& socket, std::size_t size, Until until = {}) noexcept {
    return {socket, until, size};
}
/// What stands before the next `\n`, without that and without a `\r` before it. std::errc::message_size as soon as more
/// than `longest` bytes, or more than the socket's read limit, stand before it: nothing is read then.
inline FrameWait readLine(StreamSocket& socket, Until until = {}, std::size_t longest = 64 * 1024) noexcept {
    return {socket, until, {}, longest};
}
/// What stands before the next `delimiter`, which is taken too; else as readLine().
inline FrameWait readUntil(StreamSocket& socket, std::string delimiter, Until until = {},
                           std::size_t longest = 64 * 1024) noexcept {
    return {socket, until, std::move(delimiter), longest};
}

/// That there are bytes to read, which stay where they are: for peek() and skip().
inline BytesWait readable(StreamSocket& socket, Until until = {}) noexcept { return {socket, until}; }
/// That no more than `atMost` of the written bytes have not been sent: how a task keeps to the pace of its peer.
inline DrainWait writeDrained(StreamSocket& socket, Until until = {}, std::size_t atMost = 0) noexcept {
    return {socket, until, atMost};
}

/// A wait for a connection that it begins itself.
class HALYARD_API ConnectWait : public NetworkWait<void> {
  public:
    /// By name.
    ConnectWait(TcpSocket& socket, std::string host, std::uint16_t port, Until until) noexcept
        : NetworkWait(until), socket_(socket), host_(std::move(host)), port_(port) {}
    /// By address.
    ConnectWait(TcpSocket& socket, const HostAddress& address, std::uint16_t port, Until until) noexcept
        : NetworkWait(until), socket_(socket), address_(address), port_(port) {}

  private:
    bool look() override;
    void begin() override;
    bool interrupted(std::error_code why) override;

    TcpSocket& socket_;
    std::string host_;
    HostAddress address_;
    std::uint16_t port_;
    bool begun_ = false;
};

/// TcpSocket::connectToHost(), and waits until the connection stands. A wait that ends early gives the connecting up.
inline ConnectWait connectToHost(TcpSocket& socket, std::string host, std::uint16_t port, Until until = {}) noexcept {
    return {socket, std::move(host), port, until};
}
/// The same for an address.
inline ConnectWait connectToHost(TcpSocket& socket, const HostAddress& address, std::uint16_t port,
                                 Until until = {}) noexcept {
    return {socket, address, port, until};
}

/// A wait for a client, whatever kind of socket it has.
class HALYARD_API AcceptWait : public NetworkWait<StreamSocket*> {
  public:
    /// Of this server.
    AcceptWait(StreamServer& server, Until until) noexcept : NetworkWait(until, server, 0), server_(server) {}

  private:
    bool look() override;
    void begin() override;

    StreamServer& server_;
};

/// The same for one kind of server.
template <class Server>
class ClientWait final : public AcceptWait {
    using Socket = std::remove_pointer_t<decltype(std::declval<Server&>().nextPendingConnection())>;

  public:
    using AcceptWait::AcceptWait;
    /// The client, as what the server makes of one.
    Awaited<Socket*> await_resume() {
        const Awaited<StreamSocket*> client = AcceptWait::await_resume();
        if (!client)
            return client.error();
        return static_cast<Socket*>(*client);
    }
};

/// The server's next connection, as nextPendingConnection() gives it: a child of the server, and never null. While the
/// server does not listen, nobody comes: it waits. An error is of a listener that is broken; being out of descriptors
/// is none.
template <class Server>
ClientWait<Server> nextConnection(Server& server, Until until = {}) noexcept {
    return ClientWait<Server>(server, until);
}

} // namespace halyard
