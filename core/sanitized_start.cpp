// For ThreadSanitizer alone, where a thread's first call that waits makes the place where its signals wait for their
// handlers, and a signal that comes meanwhile is lost: so a program waits for nothing before it does anything else.
#include <poll.h>

namespace {

[[maybe_unused]] const int nothing = ::poll(nullptr, 0, 0);

} // namespace
