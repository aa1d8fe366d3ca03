// a signal cannot carry a non-const reference

#include <halyard/signals/signal.h>

#include <string>

#ifdef REPAIRED
halyard::Signal<const std::string&> named;
#else
halyard::Signal<std::string&> named;
#endif
