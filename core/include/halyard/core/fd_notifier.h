#pragma once

#include <halyard/core/object.h>

#include <cstdint>

namespace halyard {

/// Tells when a descriptor is ready, for whatever is not a socket of ours. It does not own the descriptor; delete or
/// disable the notifier before closing it.
///
///     FdNotifier input(STDIN_FILENO, FdNotifier::Read);
///     input.activated.connect([](int fd) { readWhatIsThere(fd); });
class HALYARD_API FdNotifier : public Object {
  public:
    /// What to wait for.
    enum Type : std::uint8_t { Read, Write };

    /// Watches `descriptor`, which becomes non-blocking. Any number of notifiers may watch the same one. Where it
    /// cannot be watched (closed, a regular file, out of memory) the reason is logged, and isEnabled() is false.
    FdNotifier(int descriptor, Type type, Object* parent = nullptr);
    ~FdNotifier() override;

    int descriptor() const noexcept { return descriptor_; } ///< The descriptor, which stays the caller's.
    Type type() const noexcept { return type_; }            ///< What it waits for.

    bool isEnabled() const noexcept { return enabled_; } ///< Whether it watches.
    /// False where the descriptor cannot be watched, and on a foreign thread; the reason is logged.
    bool setEnabled(bool enabled);

    /// Emitted in every turn in which the descriptor is ready, until it is read, written, or the notifier disabled.
    /// An error or hang-up of the descriptor counts as ready. A slot may do anything but close a descriptor that is
    /// still watched.
    Signal<int> activated{this};

  protected:
    void leavingThread() override;
    void enteredThread() override; ///< Where it cannot be watched there, it is not enabled any more.

  private:
    friend class NotifierHub;

    void join();

    int descriptor_;
    Type type_;
    bool enabled_ = false;
};

} // namespace halyard
