// this slot cannot be called with the signal's arguments, nor with the first few of them

#include <halyard/signals/signal.h>

#include <string>

void connect(halyard::Signal<std::string>& named) {
#ifdef REPAIRED
    named.connect([](std::string) {});
#else
    named.connect([](std::string&&) {});
#endif
}
