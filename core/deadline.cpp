#include <halyard/core/deadline.h>

#include "dispatcher.h"

namespace halyard {

Deadline::~Deadline() { disarm(); }

void Deadline::arm(Clock::time_point when) {
    when_ = when;
    dispatcher().arm(*this);
}

void Deadline::disarm() noexcept { dispatcher().disarm(*this); }

} // namespace halyard
