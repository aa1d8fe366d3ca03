#pragma once

// What the scenarios need, in Qt's words. The other half of this is ../halyard/dialect.h.

#include <QCoreApplication>
#include <QEvent>
#include <QEventLoop>
#include <QHostAddress>
#include <QNetworkProxy>
#include <QPointer>
#include <QTcpServer>
#include <QTcpSocket>
#include <QThread>
#include <QTimer>
#include <QVariant>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace compare {

using Object = QObject;
using Server = QTcpServer;
using Socket = QTcpSocket;
using Address = QHostAddress;
using Proxy = QNetworkProxy;
using Timer = QTimer;
using Thread = QThread;
using Bytes = QByteArray;
using String = QString;
using Descriptor = qintptr;
using State = QAbstractSocket::SocketState;
using Error = QAbstractSocket::SocketError;
template <class T>
using Guarded = QPointer<T>;

inline constexpr State stateUnconnected = QAbstractSocket::UnconnectedState;
inline constexpr State stateConnected = QAbstractSocket::ConnectedState;
inline constexpr auto proxyDefault = QNetworkProxy::DefaultProxy;
inline constexpr auto proxyNone = QNetworkProxy::NoProxy;
inline constexpr auto proxySocks5 = QNetworkProxy::Socks5Proxy;
inline constexpr auto proxyHttp = QNetworkProxy::HttpProxy;
inline constexpr auto Queued = Qt::QueuedConnection;
inline constexpr auto Unique = Qt::UniqueConnection;
inline constexpr auto SingleShot = Qt::SingleShotConnection;
inline constexpr auto LowDelay = QAbstractSocket::LowDelayOption;
inline constexpr auto KeepAlive = QAbstractSocket::KeepAliveOption;
inline constexpr auto SendBufferSize = QAbstractSocket::SendBufferSizeSocketOption;

// --- values as text ---

inline std::string text(const QByteArray& value) { return value.toStdString(); }
inline std::string text(const QString& value) { return value.toStdString(); }
inline std::string text(const QHostAddress& value) { return value.isNull() ? "null" : value.toString().toStdString(); }

inline std::string text(State state) {
    static constexpr std::array names{"Unconnected", "HostLookup", "Connecting", "Connected",
                                      "Bound",       "Listening",  "Closing"};
    return names.at(static_cast<std::size_t>(state));
}

/// Qt has one value for "no error" and "an unknown one".
inline std::string text(Error error) {
    static constexpr std::array names{"None",
                                      "ConnectionRefused",
                                      "RemoteHostClosed",
                                      "HostNotFound",
                                      "SocketAccess",
                                      "SocketResource",
                                      "SocketTimeout",
                                      "DatagramTooLarge",
                                      "Network",
                                      "AddressInUse",
                                      "SocketAddressNotAvailable",
                                      "UnsupportedSocketOperation",
                                      "UnfinishedSocketOperation",
                                      "ProxyAuthenticationRequired",
                                      "SslHandshakeFailed",
                                      "ProxyConnectionRefused",
                                      "ProxyConnectionClosed",
                                      "ProxyConnectionTimeout",
                                      "ProxyNotFound",
                                      "ProxyProtocol",
                                      "Operation",
                                      "SslInternal",
                                      "SslInvalidUserData",
                                      "Temporary"};
    return names.at(static_cast<std::size_t>(static_cast<int>(error) + 1));
}

// --- the loop ---

/// What a program has before anything else.
class Application {
  public:
    Application() {
        qputenv("QT_NO_GLIB", "1");
        qInstallMessageHandler([](QtMsgType, const QMessageLogContext&, const QString&) { ++warnings; });
        application_.emplace(count_, arguments_.data());
    }

    static inline int warnings = 0; ///< how many lines the library has logged

  private:
    char name_[8] = "compare";
    std::array<char*, 2> arguments_{name_, nullptr};
    int count_ = 1;
    std::optional<QCoreApplication> application_;
};

/// One turn of the loop, which waits for something to do.
inline void turn(std::chrono::milliseconds atMost) {
    QTimer limit;
    limit.setSingleShot(true);
    limit.start(atMost);
    QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
}

template <class F>
void postTo(Object& context, F task) {
    QMetaObject::invokeMethod(&context, std::move(task), Qt::QueuedConnection);
}

inline bool isConnected(const QMetaObject::Connection& connection) { return static_cast<bool>(connection); }

class Loop {
  public:
    int exec() { return loop_.exec(); }
    void exit(int code) { loop_.exit(code); }

  private:
    QEventLoop loop_;
};

// --- events ---

inline int numberOf(const QEvent& event) { return event.type() - QEvent::User; }
inline void postEvent(QObject& receiver, int number) {
    QCoreApplication::postEvent(&receiver, new QEvent(static_cast<QEvent::Type>(QEvent::User + number)));
}
inline bool sendEvent(QObject& receiver, int number) {
    QEvent event(static_cast<QEvent::Type>(QEvent::User + number));
    return QCoreApplication::sendEvent(&receiver, &event);
}

/// Has what an object may override.
class Listener : public QObject {
  protected:
    virtual void timer(int) {}
    virtual void child(bool) {}
    virtual void custom(int) {}
    virtual bool filters(QObject*, int) { return false; }

  private:
    void timerEvent(QTimerEvent* event) override { timer(event->timerId()); }
    void childEvent(QChildEvent* event) override {
        if (!event->polished()) // it is for widgets
            child(event->added());
    }
    void customEvent(QEvent* event) override { custom(numberOf(*event)); }
    bool eventFilter(QObject* watched, QEvent* event) override { return filters(watched, numberOf(*event)); }
};

inline bool setProperty(QObject& object, const char* name, int value) { return object.setProperty(name, value); }
inline int property(const QObject& object, const char* name) { return object.property(name).toInt(); }

inline void preciseStart(QTimer& timer, std::chrono::milliseconds interval) {
    timer.setTimerType(Qt::PreciseTimer);
    timer.start(interval);
}
inline int milliseconds(int value) { return value; }

// --- sockets ---

inline int descriptorOf(qintptr descriptor) { return static_cast<int>(descriptor); }

inline std::optional<int> option(const QTcpSocket& socket, QAbstractSocket::SocketOption which) {
    const QVariant value = const_cast<QTcpSocket&>(socket).socketOption(which);
    return value.isValid() ? std::optional(value.toInt()) : std::nullopt;
}

inline Proxy proxyAt(QNetworkProxy::ProxyType type, std::uint16_t port) { return Proxy(type, "127.0.0.1", port); }
inline QNetworkProxy::ProxyType typeOf(const Proxy& proxy) { return proxy.type(); }

inline std::string peek(QTcpSocket& socket, qint64 atMost) { return socket.peek(atMost).toStdString(); }

inline std::int64_t readInto(QTcpSocket& socket, qint64 atMost) {
    std::string buffer(static_cast<std::size_t>(atMost), '\0');
    return socket.read(buffer.data(), atMost);
}

} // namespace compare
