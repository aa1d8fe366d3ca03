#include "bench.h"

#include "bench_connection.h"
#include "exit_code.h"
#include "pacer.h"
#include "standard_streams.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>

#include <csignal>
#include <memory>
#include <vector>

#include <unistd.h>

namespace echo {

namespace {

using namespace std::chrono_literals;
using halyard::EventLoop;
using halyard::Timer;
using halyard::UnixSignal;

class Bench : public halyard::Object {
  public:
    Bench(EventLoop& loop, const BenchOptions& options) : loop_(loop), options_(options) {
        for (std::size_t i = 0; i != options.size; ++i)
            message_.push_back(static_cast<char>('!' + i % 94));
        for (UnixSignal* each : {&interrupt_, &terminate_})
            each->received.connect(this, [this] {
                result_.interrupted = true;
                loop_.quit();
            });
        for (std::size_t i = 0; i != options.connections; ++i) {
            connections_.push_back(std::make_unique<BenchConnection>(options, message_, result_));
            connections_.back()->neverConnected.connect(this, [this](const std::string& why) {
                complain(why);
                loop_.exit(Failure);
            });
        }
        if (options.rate > 0) {
            pacer_ = std::make_unique<Pacer>(options.rate);
            pacer_->due.connect(this, [this](Pacer::Clock::time_point since) {
                connections_[next_++ % connections_.size()]->send(since);
            });
        }
        Timer::singleShot(options.warmUp, this, [this] { measure(); });
        if (::isatty(STDERR_FILENO) != 0) {
            progress_.timeout.connect(this, [this] {
                note();
                writeError('\r' + result_.progress() + clearRest);
            });
            progress_.start(1s);
        }
    }

    int run() {
        if (loop_.exec() != Success)
            return Failure;
        note();
        if (progress_.isActive())
            writeError(std::string("\r") + clearRest);
        writeOut(options_.json ? result_.json(options_) : result_.text());
        const bool measured = result_.latencies.count() != 0;
        if (!measured)
            complain("no message came back from " + options_.peer.text);
        return measured && result_.failed == 0 ? Success : Failure;
    }

  private:
    static constexpr const char* clearRest = "\x1b[K"; // of the terminal's line

    void measure() {
        result_.latencies.clear();
        begin_ = std::chrono::steady_clock::now();
        Timer::singleShot(options_.duration, this, [this] { loop_.quit(); });
    }

    void note() { result_.time = std::chrono::steady_clock::now() - begin_; }

    EventLoop& loop_;
    const BenchOptions& options_;
    std::string message_;
    BenchResult result_;
    UnixSignal interrupt_{SIGINT};
    UnixSignal terminate_{SIGTERM};
    Timer progress_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::vector<std::unique_ptr<BenchConnection>> connections_;
    std::unique_ptr<Pacer> pacer_;
    std::size_t next_ = 0; ///< whose turn it is
};

} // namespace

int bench(const BenchOptions& options) {
    EventLoop loop;
    return Bench(loop, options).run();
}

} // namespace echo
