// the slot's first argument cannot be made from the signal's first

#include <halyard/signals/signal.h>

#include <string>

void connect(halyard::Signal<int>& changed) {
#ifdef REPAIRED
    changed.connect([](int) {});
#else
    changed.connect([](const std::string&) {});
#endif
}
