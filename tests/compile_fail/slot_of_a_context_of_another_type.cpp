// this slot cannot be called with the signal's arguments, nor with the first few of them

#include <halyard/signals/signal.h>

#include <string>

void connect(halyard::Signal<int>& changed, halyard::Tracked* context) {
#ifdef REPAIRED
    changed.connect(context, [](int) {});
#else
    changed.connect(context, [](const std::string&) {});
#endif
}
