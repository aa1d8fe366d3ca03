// the signal must be a member of the sender's class

#include <halyard/core/timer.h>

struct Display : halyard::Object {
    void show();
};

#ifdef REPAIRED
using Sender = halyard::Timer;
#else
using Sender = Display;
#endif

void connect(Sender& sender, Display& display) {
    halyard::Object::connect(&sender, &halyard::Timer::timeout, &display, &Display::show);
}
