// a task cannot take a const reference: the temporary behind it may be gone when the task goes on; take a value
#include <halyard/core/task.h>

#include <string>

#ifdef REPAIRED
halyard::Task<> greet(std::string) {
#else
halyard::Task<> greet(const std::string&) {
#endif
    co_return;
}

struct Greeter : halyard::Object {
    halyard::Task<> greet() const { co_return; }
};
