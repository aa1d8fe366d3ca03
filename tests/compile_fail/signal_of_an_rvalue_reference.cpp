// a signal cannot carry an rvalue reference

#include <halyard/signals/signal.h>

#include <string>

#ifdef REPAIRED
halyard::Signal<std::string> taken;
#else
halyard::Signal<std::string&&> taken;
#endif
