// a signal cannot be awaited when an argument cannot be copied: other slots may want it too
#include <halyard/core/task.h>

#include <memory>

#ifdef REPAIRED
using Parcel = std::shared_ptr<int>;
#else
using Parcel = std::unique_ptr<int>;
#endif

halyard::Task<> waits(halyard::Signal<Parcel>& arrived) { static_cast<void>(co_await arrived); }
