#include "delivery.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>

namespace bench {

namespace {

/// The set of processors that the process started with.
const cpu_set_t& processors() {
    static const cpu_set_t all = [] {
        cpu_set_t found;
        CPU_ZERO(&found);
        ::sched_getaffinity(0, sizeof found, &found);
        return found;
    }();
    return all;
}

void take(int number) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(number), &one);
    ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
}

} // namespace

void takeSendersProcessor() {
    for (int i = 0; i != CPU_SETSIZE; ++i) {
        if (CPU_ISSET(static_cast<std::size_t>(i), &processors()))
            return take(i);
    }
}

void takeReceiversProcessor() {
    for (int i = CPU_SETSIZE; i-- != 0;) {
        if (CPU_ISSET(static_cast<std::size_t>(i), &processors()))
            return take(i);
    }
}

double timeBurst(const Run& run, Arrivals& arrivals, const std::function<void(std::size_t events)>& send) {
    constexpr std::size_t burst = 50'000;
    return run.batched(
        burst, [] {},
        [&] {
            arrivals.expect(burst);
            send(burst);
            arrivals.wait();
        });
}

double timeTurn(const Run& run, Arrivals& arrivals, const std::function<void(std::size_t events)>& send,
                const std::function<void()>& turn) {
    constexpr std::size_t atOnce = 100;
    return run.repeated(
        [&](std::size_t times) {
            for (std::size_t i = 0; i != times; ++i) {
                arrivals.expect(atOnce);
                send(atOnce);
                while (!arrivals.areComplete())
                    turn();
                arrivals.wait();
            }
        },
        atOnce);
}

} // namespace bench
