// the slot's second argument cannot be made from the signal's second

#include <halyard/signals/signal.h>

#include <string>

#ifdef REPAIRED
using Second = std::string;
#else
using Second = int;
#endif

struct Display : halyard::Tracked {
    void show(int value, Second place) noexcept;
};

void connect(halyard::Signal<int, std::string>& changed, Display& display) {
    changed.connect(&display, &Display::show);
}
