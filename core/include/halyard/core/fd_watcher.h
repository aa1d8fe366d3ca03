#pragma once

#include <halyard/core/dispatchable.h>

#include <cstdint>

namespace halyard {

/// What a descriptor can be ready for, as bits: those of epoll(7).
namespace readiness {
inline constexpr std::uint32_t None = 0;        ///< Nothing.
inline constexpr std::uint32_t Readable = 1;    ///< There is something to read, an end or an error included.
inline constexpr std::uint32_t Urgent = 2;      ///< Out-of-band data; to watch for it is to hear of errors alone.
inline constexpr std::uint32_t Writable = 4;    ///< It can be written to.
inline constexpr std::uint32_t Error = 8;       ///< It is broken, and watched no longer.
inline constexpr std::uint32_t HangUp = 0x2000; ///< The peer has shut its sending side.
} // namespace readiness

/// Level-triggered readiness of a descriptor for those who build engines: FdNotifier without object and signal.
/// One watcher per descriptor. It does not own the descriptor: stop watching before closing it.
///
///     struct Drain : FdWatcher {
///         void dispatch() override { if (takeReady() & readiness::Readable) readAll(descriptor()); }
///     };
class HALYARD_API FdWatcher : public Dispatchable {
  public:
    /// Watches `descriptor` for `interest`, instead of what was watched before. 0, or the errno of what failed:
    /// EEXIST where the loop watches the descriptor already, EPERM for a regular file, EMFILE, ENOMEM, EBADF.
    /// The descriptor becomes non-blocking.
    int watch(int descriptor, std::uint32_t interest);

    /// Changes what is watched; None keeps the place in the loop but watches nothing. 0, or the errno of what failed.
    int setInterest(std::uint32_t interest) noexcept;
    std::uint32_t interest() const noexcept { return interest_; } ///< What it waits for, as bits of readiness.

    /// Ends watching; what was gathered and not dispatched is forgotten.
    void unwatch() noexcept;
    bool isWatching() const noexcept { return descriptor_ >= 0; } ///< It is registered with the loop.

  protected:
    FdWatcher() = default;
    ~FdWatcher() override;

    /// watch() for a descriptor that is non-blocking as it is.
    int watchAsItIs(int descriptor, std::uint32_t interest) noexcept;

    /// Ends watching: who moves it watches again.
    void leaveLoop() noexcept override;

    /// What was gathered for this dispatch. Reading it clears it.
    std::uint32_t takeReady() noexcept {
        const std::uint32_t ready = ready_;
        ready_ = readiness::None;
        return ready;
    }

    /// Records readiness that another source than the loop has seen, a blocking wait for one.
    void addReady(std::uint32_t events) noexcept { ready_ |= static_cast<std::uint16_t>(events); }

  private:
    friend class Poller;

    int descriptor_ = -1; ///< that is being watched
    std::uint16_t interest_ = readiness::None;
    std::uint16_t ready_ = readiness::None;
};

} // namespace halyard
