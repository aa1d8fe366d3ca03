// this slot cannot be called with the signal's arguments, nor with the first few of them

#include <halyard/signals/signal.h>

void connect(halyard::Signal<int>& changed) {
#ifdef REPAIRED
    changed.connect([](auto) {});
#else
    changed.connect([](auto*) {});
#endif
}
