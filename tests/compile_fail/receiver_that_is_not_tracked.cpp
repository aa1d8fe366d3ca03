// the receiver of a slot must be a halyard::Tracked

#include <halyard/signals/signal.h>

#ifdef REPAIRED
struct Display : halyard::Tracked {
    void show(int);
};
#else
struct Display {
    void show(int);
};
#endif

void connect(halyard::Signal<int>& changed, Display& display) { changed.connect(&display, &Display::show); }
