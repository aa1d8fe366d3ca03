// the receiver of a slot must be a halyard::Tracked

#include <halyard/core/timer.h>

#ifdef REPAIRED
struct Display : halyard::Object {
    void show();
};
#else
struct Display {
    void show();
};
#endif

void connect(halyard::Timer& timer, Display& display) {
    halyard::Object::connect(&timer, &halyard::Timer::timeout, &display, &Display::show);
}
