#pragma once

// What the scenarios need, in Halyard's words. The other half of this is ../qt/dialect.h.

#include <halyard/core/event.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/core/object.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>
#include <halyard/net/network_proxy.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <any>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace compare {

using Object = halyard::Object;
using Server = halyard::TcpServer;
using Socket = halyard::TcpSocket;
using Address = halyard::HostAddress;
using Proxy = halyard::NetworkProxy;
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
inline constexpr State stateConnected = State::Connected;
inline constexpr auto proxyDefault = Proxy::Default;
inline constexpr auto proxyNone = Proxy::None;
inline constexpr auto proxySocks5 = Proxy::Socks5;
inline constexpr auto proxyHttp = Proxy::Http;
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

inline bool isConnected(const halyard::Connection& connection) { return connection.isConnected(); }

class Loop {
  public:
    int exec() { return halyard::EventLoop::current()->exec(); }
    void exit(int code) { halyard::EventLoop::current()->exit(code); }
};

// --- events ---

inline int numberOf(const halyard::Event& event) { return event.type() - halyard::Event::User; }
inline void postEvent(Object& receiver, int number) {
    Object::postEvent(&receiver, std::make_unique<halyard::Event>(halyard::Event::User + number));
}
inline bool sendEvent(Object& receiver, int number) {
    halyard::Event event(halyard::Event::User + number);
    return Object::sendEvent(&receiver, event);
}

/// Has what an object may override.
class Listener : public Object {
  protected:
    virtual void timer(int) {}
    virtual void child(bool) {}
    virtual void custom(int) {}
    virtual bool filters(Object*, int) { return false; }

  private:
    void timerEvent(halyard::TimerEvent& event) override { timer(event.timerId()); }
    void childEvent(halyard::ChildEvent& event) override { child(event.added()); }
    void customEvent(halyard::Event& event) override { custom(numberOf(event)); }
    bool eventFilter(Object* watched, halyard::Event& event) override { return filters(watched, numberOf(event)); }
};

inline bool setProperty(Object& object, const char* name, int value) { return object.setProperty(name, value); }
inline int property(const Object& object, const char* name) {
    const std::any value = object.property(name);
    return value.has_value() ? std::any_cast<int>(value) : 0;
}

inline void preciseStart(Timer& timer, std::chrono::milliseconds interval) { timer.start(interval); }
inline auto milliseconds(std::chrono::milliseconds value) { return value.count(); }

// --- sockets ---

inline int descriptorOf(int descriptor) { return descriptor; }

inline std::optional<int> option(const Socket& socket, halyard::SocketOption which) {
    return socket.socketOption(which);
}

inline Proxy proxyAt(Proxy::Type type, std::uint16_t port) { return {type, "127.0.0.1", port, {}, {}}; }
inline Proxy::Type typeOf(const Proxy& proxy) { return proxy.type; }

inline std::string peek(Socket& socket, std::size_t atMost) { return std::string(socket.peek().substr(0, atMost)); }

inline std::int64_t readInto(Socket& socket, std::size_t atMost) {
    std::string buffer(atMost, '\0');
    return socket.read(std::as_writable_bytes(std::span(buffer)));
}

} // namespace compare
