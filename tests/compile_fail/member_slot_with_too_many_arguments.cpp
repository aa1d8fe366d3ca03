// the slot has more arguments than the signal

#include <halyard/signals/signal.h>

struct Display : halyard::Tracked {
    void show(int);
    void showAt(int value, int place);
};

void connect(halyard::Signal<int>& changed, Display& display) {
#ifdef REPAIRED
    changed.connect(&display, &Display::show);
#else
    changed.connect(&display, &Display::showAt);
#endif
}
