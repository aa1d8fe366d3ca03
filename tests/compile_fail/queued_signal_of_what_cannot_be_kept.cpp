// aQueuedSlotKeepsItsArgumentsAndOneOfTheseCanBeNeitherCopiedNorMoved | ArgumentsThatCannotBeQueued

#include <halyard/signals/signal.h>

struct Meter {
    Meter() = default;
    Meter(const Meter&) = delete;
    Meter& operator=(const Meter&) = delete;
};

struct Display : halyard::Tracked {
    void show(const Meter&);
};

void connect(halyard::Signal<const Meter&>& changed, Display& display) {
#ifdef REPAIRED
    changed.connect(&display, &Display::show, halyard::ConnectionType::Direct);
#else
    changed.connect(&display, &Display::show, halyard::ConnectionType::Queued);
#endif
}
