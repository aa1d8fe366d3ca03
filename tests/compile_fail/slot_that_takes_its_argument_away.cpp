// the slot's first argument cannot be made from the signal's first

#include <halyard/signals/signal.h>

#include <string>

void connect(halyard::Signal<std::string>& named) {
#ifdef REPAIRED
    named.connect([](std::string) {});
#else
    named.connect([](std::string&&) {});
#endif
}
