#pragma once

#include <halyard/core/event_loop.h>

#include <QAbstractEventDispatcher>
#include <QPointer>
#include <QSocketNotifier>
#include <QTimer>

#include <algorithm>
#include <chrono>

namespace halyard {

/// Drives the calling thread's EventLoop from Qt's, version 5 or 6: Halyard's objects live beside QObjects on the same
/// thread. Nothing of it needs moc, and Qt's keyword macros may be on. The library itself does not know Qt.
///
///     QApplication application(argc, argv);
///     halyard::QtDriver driver;
///     halyard::TcpServer server;
///     server.listen(halyard::HostAddress::LocalHost, 7000);
///     return application.exec();
///
/// It is made where Qt has an event loop already: after the application object, or in the QThread that runs. A slot may
/// run a nested loop, a dialog's for instance: Halyard goes on in it. An exception that leaves a slot goes to
/// EventLoop::setExceptionHandler(). The driver may be destroyed in a slot. Loop thread only.
class QtDriver {
  public:
    QtDriver() : loop_(EventLoop::current()), descriptor_(loop_->backendFd(), QSocketNotifier::Read) {
        timer_.setSingleShot(true);
        timer_.setTimerType(Qt::PreciseTimer);
        QObject::connect(&timer_, &QTimer::timeout, &timer_, [this] { drive(); });
        QObject::connect(&descriptor_, &QSocketNotifier::activated, &descriptor_, [this] { drive(); });
        QObject::connect(QAbstractEventDispatcher::instance(), &QAbstractEventDispatcher::aboutToBlock, &timer_,
                         [this] { armTimer(); });
        armTimer();
    }
    QtDriver(const QtDriver&) = delete;
    QtDriver& operator=(const QtDriver&) = delete;
    ~QtDriver() = default;

  private:
    void drive() {
        const QPointer<QTimer> self(&timer_); // a slot may end the driver
        loop_->driveOnce();
        if (self)
            armTimer();
    }

    /// Before each sleep, a nested loop's too, and after each turn of ours: else nothing would wake that where Qt looks
    /// at its events and never sleeps. What is armed already and not too late stays.
    void armTimer() {
        constexpr std::chrono::milliseconds longest = std::chrono::hours(1);
        const auto timeout = loop_->backendTimeout();
        if (!timeout)
            timer_.stop();
        else if (!timer_.isActive() || timer_.remainingTimeAsDuration() != *timeout)
            timer_.start(std::min(*timeout, longest));
    }

    EventLoop* const loop_;
    QTimer timer_;
    QSocketNotifier descriptor_;
};

} // namespace halyard
