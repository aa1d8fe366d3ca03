#include "delivery.h"
#include "emission.h"

#include <QCoreApplication>
#include <QMetaObject>
#include <QObject>
#include <QThread>

namespace {

using bench::Arrivals;
using bench::Run;

class Emitter : public QObject {
    Q_OBJECT
  Q_SIGNALS:
    void changed(int n);
};

struct Qt6 {
    struct Receiver : QObject {
        [[gnu::noinline]] void add(int n) { sum += n; }
        long long sum = 0;
    };
    using Signal = void;
    using Sender = Emitter;
    using Handle = QMetaObject::Connection;
    static constexpr bool tracks = true;
    static Handle connect(Sender& sender, Receiver& receiver) {
        return QObject::connect(&sender, &Sender::changed, &receiver, &Receiver::add);
    }
    static void disconnect(Sender&, Handle& handle) { QObject::disconnect(handle); }
    static void fire(Sender& sender, int n) { Q_EMIT sender.changed(n); }
};

struct Inbox : QObject {
    explicit Inbox(Arrivals& all) : arrivals(all) {}
    void take(int n) { arrivals.arrived(n); }
    Arrivals& arrivals;
};

/// A thread with a loop, and an inbox in it.
class LoopThread {
  public:
    explicit LoopThread(Arrivals& arrivals) : inbox_(arrivals) {
        inbox_.moveToThread(&thread_);
        QObject::connect(&thread_, &QThread::started, &inbox_, &bench::takeReceiversProcessor);
        thread_.start();
    }
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;
    ~LoopThread() {
        thread_.quit();
        thread_.wait();
    }

    Inbox& inbox() { return inbox_; }

  private:
    QThread thread_;
    Inbox inbox_;
};

double timeQueued(const Run& run) {
    bench::takeSendersProcessor();
    Arrivals arrivals;
    LoopThread other(arrivals);
    Emitter sender;
    QObject::connect(&sender, &Emitter::changed, &other.inbox(), &Inbox::take);
    return bench::timeBurst(run, arrivals, [&sender](std::size_t events) {
        for (std::size_t i = 0; i != events; ++i)
            Q_EMIT sender.changed(static_cast<int>(i));
    });
}

double timePosted(const Run& run) {
    bench::takeSendersProcessor();
    Arrivals arrivals;
    LoopThread other(arrivals);
    return bench::timeBurst(run, arrivals, [&inbox = other.inbox(), &arrivals](std::size_t events) {
        for (std::size_t i = 0; i != events; ++i)
            QMetaObject::invokeMethod(&inbox, [&arrivals, n = static_cast<int>(i)] { arrivals.arrived(n); });
    });
}

double timeQueuedHere(const Run& run) {
    Arrivals arrivals;
    Inbox inbox(arrivals);
    Emitter sender;
    QObject::connect(&sender, &Emitter::changed, &inbox, &Inbox::take, Qt::QueuedConnection);
    return bench::timeTurn(
        run, arrivals,
        [&sender](std::size_t events) {
            for (std::size_t i = 0; i != events; ++i)
                Q_EMIT sender.changed(static_cast<int>(i));
        },
        [] { QCoreApplication::processEvents(); });
}

double timePostedHere(const Run& run) {
    Arrivals arrivals;
    QObject context;
    return bench::timeTurn(
        run, arrivals,
        [&context, &arrivals](std::size_t events) {
            for (std::size_t i = 0; i != events; ++i) {
                QMetaObject::invokeMethod(
                    &context, [&arrivals, n = static_cast<int>(i)] { arrivals.arrived(n); }, Qt::QueuedConnection);
            }
        },
        [] { QCoreApplication::processEvents(); });
}

} // namespace

int main(int argc, char** argv) {
    // Without GLib's loop, which writes to the system for each event, Qt is at its quickest.
    qputenv("QT_NO_GLIB", "1");
    int ownArguments = 1;
    const QCoreApplication application(ownArguments, argv);
    bench::Cases cases = bench::emissionCases<Qt6>();
    cases.push_back({"queued_here", timeQueuedHere});
    cases.push_back({"posted_here", timePostedHere});
    cases.push_back({"queued", timeQueued});
    cases.push_back({"posted", timePosted});
    return bench::serve(cases, argc, argv);
}

#include "qt.moc"
