#include "delivery.h"
#include "emission.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/object.h>

#include <future>
#include <memory>
#include <thread>

namespace {

using bench::Arrivals;
using bench::Run;
using halyard::Connection;
using halyard::ConnectionType;
using halyard::EventLoop;

struct Halyard {
    struct Receiver : halyard::Object {
        [[gnu::noinline]] void add(int n) { sum += n; }
        long long sum = 0;
    };
    using Signal = halyard::Signal<int>;
    struct Sender : halyard::Object {
        Signal changed{this};
    };
    using Handle = Connection;
    static constexpr bool tracks = true;
    static Handle connect(Sender& sender, Receiver& receiver) {
        return sender.changed.connect(&receiver, &Receiver::add);
    }
    static void disconnect(Sender&, Handle& handle) { handle.disconnect(); }
    static void fire(Sender& sender, int n) { sender.changed(n); }
};

struct Inbox : halyard::Object {
    explicit Inbox(Arrivals& all) : arrivals(all) {}
    void take(int n) { arrivals.arrived(n); }
    Arrivals& arrivals;
};

/// A thread with a loop, and an inbox in it.
class LoopThread {
  public:
    explicit LoopThread(Arrivals& arrivals) {
        std::promise<Inbox*> made;
        std::future<Inbox*> running = made.get_future();
        thread_ = std::thread([&arrivals, &made] {
            bench::takeReceiversProcessor();
            EventLoop loop;
            Inbox inbox(arrivals);
            made.set_value(&inbox);
            loop.exec();
        });
        inbox_ = running.get();
    }
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;
    ~LoopThread() {
        // Not before exec() runs, which would not hear it.
        loop().post([loop = &loop()] { loop->quit(); });
        thread_.join();
    }

    Inbox& inbox() const { return *inbox_; }
    EventLoop& loop() const { return *inbox_->loop(); }

  private:
    Inbox* inbox_ = nullptr;
    std::thread thread_;
};

/// A signal whose receiver lives on another thread.
double timeQueued(const Run& run) {
    bench::takeSendersProcessor();
    Arrivals arrivals;
    const LoopThread other(arrivals);
    Halyard::Sender sender;
    const halyard::ScopedConnection connection = sender.changed.connect(&other.inbox(), &Inbox::take);
    if (!connection.isConnected())
        throw bench::Refused("the receiver lives on another thread");
    return bench::timeBurst(run, arrivals, [&sender](std::size_t events) {
        for (std::size_t i = 0; i != events; ++i)
            sender.changed(static_cast<int>(i));
    });
}

double timePosted(const Run& run) {
    bench::takeSendersProcessor();
    Arrivals arrivals;
    const LoopThread other(arrivals);
    return bench::timeBurst(run, arrivals, [&loop = other.loop(), &arrivals](std::size_t events) {
        for (std::size_t i = 0; i != events; ++i)
            loop.post([&arrivals, n = static_cast<int>(i)] { arrivals.arrived(n); });
    });
}

double timeQueuedHere(const Run& run) {
    Arrivals arrivals;
    Inbox inbox(arrivals);
    Halyard::Sender sender;
    sender.changed.connect(&inbox, &Inbox::take, ConnectionType::Queued);
    return bench::timeTurn(
        run, arrivals,
        [&sender](std::size_t events) {
            for (std::size_t i = 0; i != events; ++i)
                sender.changed(static_cast<int>(i));
        },
        [] { EventLoop::current()->processEvents(); });
}

double timePostedHere(const Run& run) {
    Arrivals arrivals;
    EventLoop& loop = *EventLoop::current();
    return bench::timeTurn(
        run, arrivals,
        [&loop, &arrivals](std::size_t events) {
            for (std::size_t i = 0; i != events; ++i)
                loop.post([&arrivals, n = static_cast<int>(i)] { arrivals.arrived(n); });
        },
        [&loop] { loop.processEvents(); });
}

} // namespace

int main(int argc, char** argv) {
    const EventLoop loop;
    bench::Cases cases = bench::emissionCases<Halyard>();
    cases.push_back({"queued_here", timeQueuedHere});
    cases.push_back({"posted_here", timePostedHere});
    cases.push_back({"queued", timeQueued});
    cases.push_back({"posted", timePosted});
    return bench::serve(cases, argc, argv);
}
