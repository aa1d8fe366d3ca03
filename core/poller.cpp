#include "poller.h"

#include "dispatcher.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <system_error>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace halyard {

namespace {

constexpr bool sameBits = readiness::Readable == EPOLLIN && readiness::Writable == EPOLLOUT &&
                          readiness::HangUp == EPOLLRDHUP && readiness::Urgent == EPOLLPRI &&
                          readiness::Error == EPOLLERR;
static_assert(sameBits, "interest and readiness travel to the kernel and back as they are");

/// What each of so many may take at once: all they want where they are few, and some in any case.
constexpr std::uint32_t shareOf(int count) noexcept {
    constexpr int few = 16;
    constexpr std::uint32_t together = few * DispatchState::wholeShare;
    constexpr std::uint32_t least = 8 * 1024;
    return count <= few ? DispatchState::wholeShare : std::max(together / static_cast<std::uint32_t>(count), least);
}

} // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wakeUp_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    const int error = epoll_ < 0 || wakeUp_ < 0 ? errno : addGuest(wakeUp_, EPOLLIN | EPOLLET);
    if (error == 0)
        return;
    closeAll();
    throw std::system_error(error, std::generic_category(), "halyard: cannot make an event loop");
}

Poller::~Poller() { closeAll(); }

void Poller::closeAll() noexcept {
    for (const int each : {epoll_, wakeUp_})
        if (each >= 0)
            ::close(each);
}

int Poller::addGuest(int descriptor, std::uint32_t events) noexcept {
    return hasPlace(descriptor) ? control(EPOLL_CTL_ADD, descriptor, events) : ENOMEM;
}

int Poller::setGuest(int descriptor) noexcept {
    guest_ = descriptor;
    return addGuest(descriptor, EPOLLIN);
}

int Poller::control(int operation, int descriptor, std::uint32_t events) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    return ::epoll_ctl(epoll_, operation, descriptor, &event) == 0 ? 0 : errno;
}

/// Whether there is a place for it among the watchers.
bool Poller::hasPlace(int descriptor) noexcept {
    const auto needed = static_cast<std::size_t>(descriptor) + 1;
    if (needed > watchers_.size()) {
        try {
            watchers_.resize(std::max(needed, watchers_.size() * 2));
        } catch (const std::bad_alloc&) {
            return false;
        }
    }
    return true;
}

int Poller::add(FdWatcher& watcher, int descriptor, std::uint32_t wanted) noexcept {
    if (descriptor < 0)
        return EBADF;
    if (!hasPlace(descriptor))
        return ENOMEM;
    FdWatcher*& place = watchers_[static_cast<std::size_t>(descriptor)];
    if (place != nullptr)
        return EEXIST;
    watcher.descriptor_ = descriptor;
    watcher.interest_ = readiness::None;
    if (const int error = change(watcher, wanted); error != 0) {
        watcher.descriptor_ = -1;
        return error;
    }
    place = &watcher;
    return 0;
}

int Poller::change(FdWatcher& watcher, std::uint32_t wanted) noexcept {
    if (wanted == watcher.interest_)
        return 0;
    const bool was = watcher.interest_ != readiness::None;
    const bool is = wanted != readiness::None;
    const int operation = !was ? EPOLL_CTL_ADD : is ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    if (const int error = control(operation, watcher.descriptor_, wanted); error != 0 && is)
        return error;
    watched_ += static_cast<std::size_t>(is) - static_cast<std::size_t>(was);
    watcher.interest_ = static_cast<std::uint16_t>(wanted);
    return 0;
}

void Poller::remove(FdWatcher& watcher) noexcept {
    change(watcher, readiness::None);
    watchers_[static_cast<std::size_t>(watcher.descriptor_)] = nullptr;
    watcher.descriptor_ = -1;
}

void Poller::detachAll() noexcept {
    for (std::size_t i = 0; i != watchers_.size(); ++i)
        if (watchers_[i] != nullptr)
            watchers_[i]->unwatch();
}

inline void Poller::tell(FdWatcher& watcher, std::uint32_t events, Dispatcher& loop) noexcept {
    std::uint32_t ready = events & watcher.interest_;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) [[unlikely]] {
        // Told of unasked, and again and again.
        if ((events & EPOLLERR) != 0) {
            ready = readiness::Error;
            change(watcher, readiness::None);
        } else if (ready == readiness::None) {
            ready = watcher.interest_; // whichever call was wanted will say what it is
        }
    }
    watcher.ready_ |= static_cast<std::uint16_t>(ready);
    loop.scheduleReady(watcher);
}

bool Poller::gather(int milliseconds, Dispatcher& loop) noexcept {
    std::array<epoll_event, 1024> events; // NOLINT(cppcoreguidelines-pro-type-member-init): the kernel fills it in
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds);
    loop.share = shareOf(count);
    bool guestIsReady = false;
    for (int i = 0; i < count; ++i) {
        const epoll_event& each = events[static_cast<std::size_t>(i)];
        if (FdWatcher* const watcher = watchers_[static_cast<std::size_t>(each.data.fd)]) [[likely]]
            tell(*watcher, each.events, loop);
        else if (each.data.fd == guest_)
            guestIsReady = true;
    }
    return guestIsReady;
}

void Poller::wake() noexcept {
    const std::uint64_t once = 1;
    [[maybe_unused]] const ssize_t written = ::write(wakeUp_, &once, sizeof once);
}

} // namespace halyard
