// the slot has more arguments than the signal

#include <halyard/core/timer.h>

#include <string>

struct Display : halyard::Object {
    void show();
    void print(const std::string&);
};

void connect(halyard::Timer& timer, Display& display) {
#ifdef REPAIRED
    halyard::Object::connect(&timer, &halyard::Timer::timeout, &display, &Display::show);
#else
    halyard::Object::connect(&timer, &halyard::Timer::timeout, &display, &Display::print);
#endif
}
