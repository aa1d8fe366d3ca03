// Qt's keyword macros are on, as in most of its users' programs.
#include <QCoreApplication>
#include <QEventLoop>
#include <QSocketNotifier>
#include <QTimer>
#if !defined emit || !defined slots || !defined signals || !defined foreach
#error "Qt's keyword macros are not on"
#endif
#include <halyard/adapters/qt.h>
#include <halyard/core/signal_spy.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include "host.h"

#include <doctest/doctest.h>
#include <pump.h>

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace halyard::test {

namespace {

class QtHost final : public Host {
  public:
    QtHost() { driver_.emplace(); }

    bool runUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) override {
        bool late = false;
        QTimer giveUp;
        QObject::connect(&giveUp, &QTimer::timeout, [&late] { late = true; });
        giveUp.start(patience);
        for (QEventLoop loop; !late && !condition(); ++turns)
            loop.processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents);
        return !late;
    }

    void after(std::chrono::milliseconds wait, std::function<void()> callback) override {
        QTimer::singleShot(wait, Qt::PreciseTimer, &context_, std::move(callback));
    }

    void endDriver() override { driver_.reset(); }

    bool mayNest() const override { return true; }

  private:
    int argc_ = 1;
    char name_[5] = "test";
    char* argv_[2] = {name_, nullptr};
    QCoreApplication application_{argc_, argv_};
    QObject context_;
    std::optional<QtDriver> driver_;
};

} // namespace

std::unique_ptr<Host> makeHost() { return std::make_unique<QtHost>(); }

TEST_CASE("a program that looks at Qt's events now and then, and never sleeps in it, is driven too") {
    int argc = 1;
    char name[] = "test";
    char* argv[] = {name, nullptr};
    const QCoreApplication application(argc, argv);
    const QtDriver driver;
    EventLoop& loop = *EventLoop::current();
    const auto polls = [](const auto& condition) {
        const auto end = std::chrono::steady_clock::now() + patience();
        while (!condition() && std::chrono::steady_clock::now() < end)
            QCoreApplication::processEvents();
        return condition();
    };
    for (int round = 0; round != 3; ++round) {
        bool ran = false;
        std::thread other([&] { loop.post([&] { ran = true; }); });
        CHECK(polls([&] { return ran; }));
        other.join();
        Timer timer;
        SignalSpy fired(timer.timeout);
        timer.start(std::chrono::milliseconds(1));
        CHECK(polls([&] { return fired.count() >= 2; }));
    }
}

} // namespace halyard::test
