#pragma once

// What the scenarios need, in Halyard's words. The other half of this is ../qt/dialect.h.

#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/core/object.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace compare {

using Object = halyard::Object;
using Server = halyard::TcpServer;
using Socket = halyard::TcpSocket;
using Address = halyard::HostAddress;
using Timer = halyard::Timer;
using Thread = halyard::Thread;
using Bytes = std::string;
using String = std::string;
using Descriptor = int;
using State = halyard::SocketState;
using Error = halyard::SocketError;
template <class T>
using Guarded = halyard::Pointer<T>;

inline constexpr State stateUnconnected = State::Unconnected;
inline constexpr State stateConnecting = State::Connecting;
inline constexpr State stateConnected = State::Connected;
inline constexpr State stateClosing = State::Closing;
inline constexpr auto Queued = halyard::ConnectionType::Queued;
inline constexpr auto Unique = halyard::ConnectionType::Unique;
inline constexpr auto SingleShot = halyard::ConnectionType::SingleShot;
inline constexpr auto LowDelay = halyard::SocketOption::LowDelay;
inline constexpr auto KeepAlive = halyard::SocketOption::KeepAlive;
inline constexpr auto SendBufferSize = halyard::SocketOption::SendBufferSize;

// --- values as text ---

inline std::string text(const Address& value) { return value.isNull() ? "null" : value.toString(); }
inline std::string text(State state) { return std::string(nameOf(state)); }
inline std::string text(Error error) { return std::string(nameOf(error)); }

// --- the loop ---

/// What a program has before anything else.
class Application {
  public:
    Application() {
        halyard::setLogSink([](halyard::LogLevel, std::string_view, std::string_view) { ++warnings; });
    }

    static inline int warnings = 0; ///< how many lines the library has logged

  private:
    halyard::EventLoop loop_;
};

/// One turn of the loop, which waits for something to do.
inline void turn(std::chrono::milliseconds atMost) { halyard::EventLoop::current()->processEvents(atMost); }

template <class F>
void postTo(Object& context, F task) {
    context.loop()->post(std::move(task));
}

// --- sockets ---

inline int descriptorOf(int descriptor) { return descriptor; }

inline std::optional<int> option(const Socket& socket, halyard::SocketOption which) {
    return socket.socketOption(which);
}

} // namespace compare
