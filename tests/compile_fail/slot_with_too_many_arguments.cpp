// this slot cannot be called with the signal's arguments, nor with the first few of them

#include <halyard/signals/signal.h>

void connect(halyard::Signal<int>& changed) {
#ifdef REPAIRED
    changed.connect([](int) {});
#else
    changed.connect([](int, int) {});
#endif
}
