// a posted task is called without arguments

#include <halyard/core/event_loop.h>

void post(halyard::EventLoop& loop) {
#ifdef REPAIRED
    loop.post([] {});
#else
    loop.post([](int) {});
#endif
}
