// this slot cannot be called with the signal's arguments, nor with the first few of them

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
