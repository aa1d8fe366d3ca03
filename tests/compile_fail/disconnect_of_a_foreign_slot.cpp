// the slot must be a member function of the receiver's class

#include <halyard/signals/signal.h>

struct Display : halyard::Tracked {
    void show(int);
};
struct Printer : halyard::Tracked {
    void print(int);
};

void disconnect(halyard::Signal<int>& changed, Display& display) {
#ifdef REPAIRED
    changed.disconnect(&display, &Display::show);
#else
    changed.disconnect(&display, &Printer::print);
#endif
}
