#include <halyard/core/fd_watcher.h>

#include "dispatcher.h"

#include <cerrno>

#include <sys/ioctl.h>

namespace halyard {

void FdWatcher::leaveLoop() noexcept {
    unwatch();
    Dispatchable::leaveLoop();
}

FdWatcher::~FdWatcher() { unwatch(); }

int FdWatcher::watch(int descriptor, std::uint32_t interest) {
    if (const int error = watchAsItIs(descriptor, interest); error != 0)
        return error;
    int on = 1;
    if (::ioctl(descriptor, FIONBIO, &on) == 0)
        return 0;
    const int error = errno;
    unwatch();
    return error;
}

int FdWatcher::watchAsItIs(int descriptor, std::uint32_t interest) noexcept {
    unwatch();
    return dispatcher().watch(*this, descriptor, interest);
}

int FdWatcher::setInterest(std::uint32_t interest) noexcept {
    return interest != interest_ && isWatching() ? dispatcher().changeInterest(*this, interest) : 0;
}

void FdWatcher::unwatch() noexcept {
    unschedule();
    ready_ = readiness::None;
    if (isWatching())
        dispatcher().unwatch(*this);
}

} // namespace halyard
