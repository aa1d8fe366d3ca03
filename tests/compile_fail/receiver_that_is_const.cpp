// the receiver of a slot must not be const: the connection is noted in it

#include <halyard/signals/signal.h>

struct Display : halyard::Tracked {
    void show(int) const;
};

#ifdef REPAIRED
using Receiver = Display;
#else
using Receiver = const Display;
#endif

void connect(halyard::Signal<int>& changed, Receiver& display) { changed.connect(&display, &Display::show); }
