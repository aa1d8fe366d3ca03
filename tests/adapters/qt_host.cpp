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
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include "host.h"

#include <optional>
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

} // namespace halyard::test
