// what Halyard gives to await can only be awaited in a halyard::Task
#include <halyard/core/task.h>

#include <chrono>
#include <coroutine>
#include <exception>

struct Foreign {
    struct promise_type {
        Foreign get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

#ifdef REPAIRED
halyard::Task<> waits() {
#else
Foreign waits() {
#endif
    co_await halyard::sleepFor(std::chrono::seconds(1));
}
