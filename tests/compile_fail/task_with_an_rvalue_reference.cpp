// a task cannot take an rvalue reference: what is behind it may be gone when the task goes on; take a value
#include <halyard/core/task.h>

#include <string>

#ifdef REPAIRED
halyard::Task<> greet(halyard::Object&, std::string) {
#else
halyard::Task<> greet(halyard::Object&, std::string&&) {
#endif
    co_return;
}
