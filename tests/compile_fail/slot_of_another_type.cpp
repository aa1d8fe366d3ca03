// this slot cannot be called with the signal's arguments, nor with the first few of them

#include <halyard/signals/signal.h>

#include <string>

void connect(halyard::Signal<int>& changed) {
#ifdef REPAIRED
    changed.connect([](int) {});
#else
    changed.connect([](const std::string&) {});
#endif
}
