// the slot has more arguments than the signal

#include <halyard/signals/signal.h>

void connect(halyard::Signal<int>& changed) {
#ifdef REPAIRED
    changed.connect([](int) {});
#else
    changed.connect([](int, int) {});
#endif
}
