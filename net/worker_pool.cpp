#include <halyard/net/worker_pool.h>

#include "close_now.h"

#include <halyard/core/log.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>

#include <algorithm>
#include <thread>

#include <unistd.h>

namespace halyard {

using namespace std::chrono_literals;

/// A thread, and on it the parent of the connections that it has.
class WorkerPool::Worker final : public Object {
  public:
    bool start() {
        thread.finished.connect([this] { end(); });
        return thread.start() && moveToThread(&thread);
    }

    /// Ends the thread when it has no connection any more; closes them after a while.
    void finish(std::chrono::milliseconds grace) {
        finishing_ = true;
        if (places_ == nullptr) {
            thread.quit();
        } else if (grace == 0ms) {
            closeAll();
        } else if (grace > 0ms) {
            auto* const deadline = new Timer(this);
            deadline->setSingleShot(true);
            deadline->timeout.connect(this, &Worker::closeAll);
            deadline->start(grace);
        }
    }

    Thread thread;
    std::atomic<std::size_t> load = 0;
    std::atomic<bool> takes = true;

  private:
    friend class Place;

    void closeAll() {
        while (places_ != nullptr) {
            StreamSocket& socket = places_->socket_;
            places_->leave();
            closeNow(socket);
        }
    }

    /// On the thread still: what lives here dies here, however the thread was ended.
    void end() {
        takes = false;
        endConnections(); // nobody asks it to quit any more
        closeAll();
        while (!children().empty())
            delete children().back();
    }

    Place* places_ = nullptr;
    bool finishing_ = false;
};

WorkerPool::Place::Place(Worker& worker, StreamSocket& socket) noexcept
    : worker_(&worker), socket_(socket), next_(worker.places_), previous_(&worker.places_) {
    if (next_ != nullptr)
        next_->previous_ = &next_;
    worker.places_ = this;
}

void WorkerPool::Place::leave() noexcept {
    Worker* const worker = std::exchange(worker_, nullptr);
    if (worker == nullptr)
        return;
    *previous_ = next_;
    if (next_ != nullptr)
        next_->previous_ = previous_;
    --worker->load;
    if (worker->finishing_ && worker->places_ == nullptr)
        worker->thread.quit();
}

WorkerPool::Unserved::~Unserved() {
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

bool WorkerPool::Unserved::moveInto(StreamSocket& socket) {
    if (!socket.setSocketDescriptor(descriptor_))
        return false;
    descriptor_ = -1;
    if (permit_)
        socket.countBy(std::move(permit_));
    return true;
}

WorkerPool::Arrival::~Arrival() {
    if (worker_ != nullptr)
        --worker_->load;
}

bool WorkerPool::Arrival::adopt(StreamSocket& socket) {
    if (connection_.moveInto(socket))
        return true;
    delete &socket;
    return false;
}

WorkerPool::WorkerPool(int threads, Object* parent) : Object(parent) {
    const auto wanted =
        threads > 0 ? static_cast<unsigned>(threads) : std::max(std::thread::hardware_concurrency(), 1U);
    while (workers_.size() != wanted) {
        auto worker = std::make_unique<Worker>();
        if (!worker->start()) // the log says why
            break;
        quitAsked_.connect(worker.get(), &Worker::finish);
        worker->thread.finished.connect(this, &WorkerPool::workerEnded);
        workers_.push_back(std::move(worker));
    }
}

WorkerPool::~WorkerPool() {
    quit();
    wait();
}

Object* WorkerPool::parentAt(Worker& worker) noexcept { return &worker; }

std::vector<std::size_t> WorkerPool::loads() const {
    std::vector<std::size_t> all;
    for (const auto& each : workers_)
        all.push_back(each->load);
    return all;
}

/// Null where none runs any more.
WorkerPool::Worker* WorkerPool::choose() noexcept {
    const std::size_t first = turn_++;
    Worker* best = nullptr;
    for (std::size_t i = 0; i != workers_.size(); ++i) {
        Worker& each = *workers_[(first + i) % workers_.size()];
        if (each.takes && (best == nullptr || each.load < best->load))
            best = &each;
        if (best != nullptr && balance_ == Balance::RoundRobin)
            break;
    }
    return best;
}

bool WorkerPool::send(std::unique_ptr<Arrival> arrival) {
    if (Worker* const worker = quitting_ ? nullptr : choose()) {
        arrival->worker_ = worker;
        ++worker->load;
        if (worker->post(std::move(arrival)) == nullptr)
            return true;
    }
    if (const auto heldBack = refusals_.pass())
        logMessage(LogLevel::Warning, "halyard.net",
                   (quitting_ ? "WorkerPool::serve(): it was told to quit" : "WorkerPool::serve(): no worker runs") +
                       LogThrottle::text(*heldBack));
    return false;
}

void WorkerPool::quit(std::chrono::milliseconds grace) {
    quitting_ = true;
    quitAsked_(grace);
}

bool WorkerPool::wait(std::chrono::milliseconds atMost) {
    const auto until = std::chrono::steady_clock::now() + std::max(atMost, 0ms);
    return std::all_of(workers_.begin(), workers_.end(), [&](const auto& each) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        return each->thread.wait(atMost < 0ms ? atMost : std::max(left, 0ms));
    });
}

void WorkerPool::workerEnded() {
    if (++ended_ == workers_.size())
        finished();
}

} // namespace halyard
