// the slot's first argument cannot be made from the signal's first

#include <halyard/signals/signal.h>

#include <string>

void connect(halyard::Signal<int>& changed, halyard::Tracked* context) {
#ifdef REPAIRED
    changed.connect(context, [](int) {});
#else
    changed.connect(context, [](const std::string&) {});
#endif
}
