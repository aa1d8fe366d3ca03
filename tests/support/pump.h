#pragma once

#include <halyard/core/event_loop.h>

#include <chrono>
#include <cstdlib>

namespace halyard::test {

/// How long a test waits for what must come, before it calls it missing: a number of milliseconds, longer on slow
/// machines and under sanitizers by the factor in HALYARD_TEST_TIMEOUT_SCALE. Nothing waits so long where all is well.
inline std::chrono::milliseconds patience(std::chrono::milliseconds usual = std::chrono::seconds(10)) {
    static const double scale = [] {
        const char* const text = std::getenv("HALYARD_TEST_TIMEOUT_SCALE");
        const double value = text != nullptr ? std::atof(text) : 1.0;
        return value > 0 ? value : 1.0;
    }();
    return std::chrono::duration_cast<std::chrono::milliseconds>(usual * scale);
}

/// Runs this thread's loop until `condition` holds. False when patience is over.
template <class Condition>
bool pumpUntil(Condition condition, std::chrono::milliseconds atMost = patience()) {
    EventLoop& loop = *EventLoop::current();
    const auto end = std::chrono::steady_clock::now() + atMost;
    while (!condition()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0)
            return false;
        loop.processEvents(left);
    }
    return true;
}

/// As pumpUntil(), for what this thread's loop is not woken by, another thread's doing or bytes at a plain peer: looks
/// again every few milliseconds.
template <class Condition>
bool pumpUntilElsewhere(Condition condition) {
    EventLoop& loop = *EventLoop::current();
    const auto end = std::chrono::steady_clock::now() + patience();
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end)
            return false;
        loop.processEvents(std::chrono::milliseconds(5));
    }
    return true;
}

/// Runs the loop until it has nothing to do right now: for what must not come.
inline void pumpIdle(int turns = 10) {
    for (int i = 0; i != turns; ++i)
        EventLoop::current()->processEvents();
}

} // namespace halyard::test
