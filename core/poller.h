#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halyard {

class Dispatcher;
class FdWatcher;

/// Which of the watched descriptors are ready: one epoll(7) instance a loop, beside the one that libuv has for its own
/// handles. A uv_poll_t for each would cost a message 70 instructions, a connection four system calls, and 176 bytes as
/// long as it lasts.
class Poller {
  public:
    Poller(); ///< Throws std::system_error where the system has no descriptor for it.
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller();

    /// Readable when something is ready or the poller was woken.
    int descriptor() const noexcept { return epoll_; }

    /// 0, or the errno of what failed. What is wanted may be None.
    int add(FdWatcher& watcher, int descriptor, std::uint32_t wanted) noexcept;
    int change(FdWatcher& watcher, std::uint32_t wanted) noexcept;
    void remove(FdWatcher& watcher) noexcept;
    void detachAll() noexcept;                                ///< Has every watcher stop watching.
    std::size_t watched() const noexcept { return watched_; } ///< Those of whom something is wanted.

    /// Watches a descriptor that another library reads. 0 or an errno.
    int setGuest(int descriptor) noexcept;

    /// Waits for so many milliseconds (−1: for ever), and puts the watchers of what is ready on the list of their
    /// loop, which is in a turn. True where the guest is ready.
    bool gather(int milliseconds, Dispatcher& loop) noexcept;
    /// Has the next gather() not wait, or the one that waits now return. Thread-safe.
    void wake() noexcept;

  private:
    int addGuest(int descriptor, std::uint32_t events) noexcept;
    void closeAll() noexcept;
    int control(int operation, int descriptor, std::uint32_t events) noexcept;
    bool hasPlace(int descriptor) noexcept;
    void tell(FdWatcher& watcher, std::uint32_t events, Dispatcher& loop) noexcept;

    int epoll_;
    int wakeUp_; ///< an eventfd(2), told of at every write, so that nobody has to read it
    int guest_ = -1;
    std::size_t watched_ = 0;
    std::vector<FdWatcher*> watchers_; ///< by descriptor
};

} // namespace halyard
