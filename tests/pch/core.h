#include "signals.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/object.h>
#include <halyard/core/task.h>
#include <halyard/core/thread.h>
#include <halyard/core/timer.h>

#include <logged.h>
#include <pump.h>
