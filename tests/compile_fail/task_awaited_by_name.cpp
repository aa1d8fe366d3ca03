// a task is awaited once, by co_await std::move(task)
#include <halyard/core/task.h>

#include <utility>

halyard::Task<int> one() { co_return 1; }

halyard::Task<> waits() {
    halyard::Task<int> task = one();
#ifdef REPAIRED
    co_await std::move(task);
#else
    co_await task;
#endif
}
