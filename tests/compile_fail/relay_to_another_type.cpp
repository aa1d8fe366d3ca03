// this slot cannot be called with the signal's arguments, nor with the first few of them

#include <halyard/signals/signal.h>

#include <string>

#ifdef REPAIRED
using Next = halyard::Signal<int>;
#else
using Next = halyard::Signal<std::string>;
#endif

void relay(halyard::Signal<int>& changed, Next& next) { changed.connect(next); }
