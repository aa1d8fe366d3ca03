#pragma once

#include "case.h"

#include <cstddef>
#include <functional>
#include <semaphore>

namespace bench {

/// Receives events on its thread, and says when a burst is complete.
class Arrivals {
  public:
    /// Called before the burst; posting the first event makes it known to the other thread.
    void expect(std::size_t events) { left_ = events; }

    void arrived(int n) {
        sum_ += n;
        if (--left_ == 0)
            complete_.release();
    }

    void wait() { complete_.acquire(); }
    bool areComplete() const { return left_ == 0; }

  private:
    long long sum_ = 0;
    std::size_t left_ = 0;
    std::binary_semaphore complete_{0};
};

/// Where there are two processors, sending and receiving have one each.
void takeSendersProcessor();
void takeReceiversProcessor();

/// Nanoseconds of an event, from the first post of a long burst to the last delivery on the other thread.
double timeBurst(const Run& run, Arrivals& arrivals, const std::function<void(std::size_t events)>& send);

/// Nanoseconds of an event that is posted to the own thread, with a hundred others; `turn` delivers what waits.
double timeTurn(const Run& run, Arrivals& arrivals, const std::function<void(std::size_t events)>& send,
                const std::function<void()>& turn);

} // namespace bench
