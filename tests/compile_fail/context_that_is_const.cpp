// the context of a slot must not be const: the connection is noted in it

#include <halyard/signals/signal.h>

#ifdef REPAIRED
using Display = halyard::Tracked;
#else
using Display = const halyard::Tracked;
#endif

void connect(halyard::Signal<int>& changed, Display& display) {
    changed.connect(&display, [](int) {});
}
