// a halyard::Task awaits tasks, signals, and what is derived from halyard::Suspension
#include <halyard/core/task.h>

#include <coroutine>

halyard::Task<> waits() {
#ifdef REPAIRED
    co_await halyard::sleepUntil(halyard::Clock::now());
#else
    co_await std::suspend_always();
#endif
}
