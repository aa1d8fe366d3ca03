#include "serve.h"

#include "echo_loop.h"
#include "exit_code.h"
#include "inheritance.h"
#include "journal.h"
#include "listening.h"
#include "metrics_server.h"
#include "standard_streams.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/service_notifier.h>
#include <halyard/core/successor.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace echo {

namespace {

using namespace std::chrono_literals;
using halyard::EventLoop;
using halyard::ServiceNotifier;
using halyard::Successor;
using halyard::Thread;
using halyard::Timer;
using halyard::UnixSignal;

constexpr const char* metricsName = "metrics"; // of its socket, for the successor

/// A thread for a loop; what a slot throws there ends the program as it would on the main thread.
class LoopThread : public Thread {
  protected:
    void run() override {
        try {
            exec();
        } catch (const std::exception& error) {
            complain(error.what());
            std::_Exit(Failure);
        }
    }
};

/// The whole server: its loops, and what happens to all of them.
///
///     starting -> serving -> (SIGTERM: not ready, and after drainDelay:) draining -> over
///                         -> (SIGHUP: the successor is ready:)           draining -> over
class Server : public halyard::Object {
  public:
    Server(EventLoop& loop, const ServeOptions& options)
        : loop_(loop),
          options_(options),
          journal_(options.logFormat, options.logLevel),
          metrics_(static_cast<std::size_t>(options.threads)),
          page_(metrics_) {
        for (UnixSignal* each : {&interrupt_, &terminate_})
            each->received.connect(this, &Server::stop);
        userSignal_.received.connect(this, &Server::handOver);
        if (::isatty(STDIN_FILENO) == 0) { // else it tells that the terminal is gone
            hangUp_ = std::make_unique<UnixSignal>(SIGHUP);
            hangUp_->received.connect(this, &Server::handOver);
        }
    }

    ~Server() override { endThreads(); }

    int run() {
        if (const auto failure = listen()) {
            complain(*failure);
            return Failure;
        }
        for (const EchoLoop::Listener& each : loops_.front()->listeners())
            journal_.listening(nameOf(*each.server));
        if (options_.metrics)
            journal_.note("metrics at http://" + nameOf(page_.server()) + "/metrics");
        if (!startThreads())
            return Failure;
        supervisor_.ready();
        const int code = loop_.exec();
        endThreads(); // they have lines to tell, and bytes to count
        if (code == Success)
            journal_.stopped(metrics_.connections(), metrics_.sentBytes());
        return code;
    }

  private:
    std::optional<std::string> listen() {
        Inheritance inheritance;
        if (options_.metrics) {
            const auto inherited = inheritance.take(metricsName);
            halyard::TcpServer& server = page_.server();
            const bool listens = inherited.empty() ? server.listen(options_.metrics->address, options_.metrics->port)
                                                   : server.setSocketDescriptor(inherited.front());
            if (!listens)
                return server.errorString();
        }
        const auto limits =
            std::make_shared<halyard::ConnectionLimits>(options_.maxClients, options_.maxClientsPerAddress);
        for (int i = 0; i != options_.threads; ++i) {
            auto loop =
                std::make_unique<EchoLoop>(options_, limits, journal_, metrics_.of(static_cast<std::size_t>(i)));
            drainAsked_.connect(loop.get(), &EchoLoop::drain);
            letGoAsked_.connect(loop.get(), &EchoLoop::letGo);
            loop->drained.connect(this, &Server::oneDrained);
            loops_.push_back(std::move(loop));
        }
        auto failure = listenEverywhere(loops_, options_, inheritance);
        for (const auto& loop : loops_)
            for (const EchoLoop::Listener& each : loop->listeners())
                sockets_.emplace_back(each.server->socketDescriptor(), each.address->text);
        if (options_.metrics)
            sockets_.emplace_back(page_.server().socketDescriptor(), metricsName);
        return failure;
    }

    /// The first loop is the main thread's; the others die on theirs.
    bool startThreads() {
        for (std::size_t i = 1; i != loops_.size(); ++i) {
            auto thread = std::make_unique<LoopThread>();
            if (!thread->start() || !loops_[i]->moveToThread(thread.get())) {
                complain("cannot start thread " + std::to_string(i));
                return false;
            }
            thread->finished.connect([loop = loops_[i].release()] { delete loop; });
            threads_.push_back(std::move(thread));
        }
        return true;
    }

    void endThreads() {
        for (const auto& each : threads_)
            each->quit();
        for (const auto& each : threads_)
            each->wait();
    }

    void stop() {
        supervisor_.stopping();
        page_.setReady(false);
        successor_.reset(); // one that is not ready yet ends with this server; one that is lives on
        if (isStopping_ || options_.drain == 0ms) {
            loop_.quit();
            return;
        }
        isStopping_ = true;
        if (options_.drainDelay == 0ms) {
            drain(options_.drain);
            return;
        }
        journal_.note("not ready any more; draining in " + std::to_string(options_.drainDelay.count()) + " ms");
        Timer::singleShot(options_.drainDelay, this, [this] { drain(options_.drain); });
    }

    void drain(std::chrono::milliseconds grace) {
        journal_.note("draining");
        drainAsked_(grace);
    }

    void oneDrained() {
        if (++drainedLoops_ == options_.threads)
            loop_.quit();
    }

    void handOver() {
        if (successor_ != nullptr || isStopping_)
            return;
        successor_ = std::make_unique<Successor>(options_.command);
        for (const auto& [descriptor, name] : sockets_)
            successor_->give(descriptor, name);
        successor_->ready.connect(this, &Server::retire);
        successor_->failed.connect(this, [this](const std::string& why) { goOn(why); });
        if (!successor_->start())
            goOn(successor_->errorString());
    }

    void goOn(const std::string& why) {
        journal_.warn(why);
        successor_.release()->deleteLater();
    }

    void retire() {
        isStopping_ = true;
        supervisor_.mainProcess(successor_->processId());
        journal_.note("handed over to process " + std::to_string(successor_->processId()));
        page_.server().close();
        letGoAsked_();
        drain(options_.drain == 0ms ? -1ms : options_.drain);
    }

    EventLoop& loop_;
    const ServeOptions& options_;
    ServiceNotifier supervisor_;
    Journal journal_;
    Metrics metrics_;
    MetricsServer page_;
    UnixSignal interrupt_{SIGINT};
    UnixSignal terminate_{SIGTERM};
    UnixSignal userSignal_{SIGUSR2};
    std::unique_ptr<UnixSignal> hangUp_;
    std::vector<std::pair<int, std::string>> sockets_; ///< that a successor gets, by their names
    std::unique_ptr<Successor> successor_;
    halyard::Signal<std::chrono::milliseconds> drainAsked_{this};
    halyard::Signal<> letGoAsked_{this};
    int drainedLoops_ = 0;
    bool isStopping_ = false;
    std::vector<std::unique_ptr<EchoLoop>> loops_; ///< null where a thread has it
    std::vector<std::unique_ptr<LoopThread>> threads_;
};

} // namespace

int serve(const ServeOptions& options) {
    EventLoop loop;
    return Server(loop, options).run();
}

} // namespace echo
