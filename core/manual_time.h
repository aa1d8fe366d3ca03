#pragma once

#include <halyard/core/clock.h>

namespace halyard {

/// The one that rules this thread, where the loop's turns can see it without a call.
[[gnu::visibility("hidden")]] extern constinit thread_local ManualClock* manualClock;

} // namespace halyard
