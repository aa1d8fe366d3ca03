// the slot's first argument cannot be made from the signal's first

#include <halyard/signals/signal.h>

#include <string>

struct Display : halyard::Tracked {
    void show(int);
    void print(const std::string&);
};

void connect(halyard::Signal<int>& changed, Display& display) {
#ifdef REPAIRED
    changed.connect(&display, &Display::show);
#else
    changed.connect(&display, &Display::print);
#endif
}
