// what is connected to must be a halyard::Signal

#include <halyard/core/object.h>

struct Display : halyard::Object {
    void show();
    halyard::Signal<> shown{this};
    int width = 0;
};

void connect(Display& display, Display& other) {
#ifdef REPAIRED
    halyard::Object::connect(&display, &Display::shown, &other, &Display::show);
#else
    halyard::Object::connect(&display, &Display::width, &other, &Display::show);
#endif
}
