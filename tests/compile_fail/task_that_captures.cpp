// a lambda that is a task cannot capture: its closure may be gone when the task goes on
#include <halyard/core/task.h>

halyard::Task<int> make(int value) {
#ifdef REPAIRED
    return [](int given) -> halyard::Task<int> { co_return given; }(value);
#else
    return [value]() -> halyard::Task<int> { co_return value; }();
#endif
}
