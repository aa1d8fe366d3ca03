// the context of a slot must be a halyard::Tracked

#include <halyard/signals/signal.h>

#ifdef REPAIRED
struct Display : halyard::Tracked {};
#else
struct Display {};
#endif

void connect(halyard::Signal<int>& changed, Display& display) {
    changed.connect(&display, [](int) {});
}
