#pragma once

#include <halyard/core/dispatchable.h>
#include <halyard/core/object.h>

namespace halyard {

struct UnixSignalHandle;

/// A Unix signal as a signal of the loop: emitted on the object's thread, where a slot may do anything.
///
///     UnixSignal terminate(SIGTERM, &daemon);
///     terminate.received.connect(&daemon, &Daemon::drain);
///
/// While one exists for a signal number, that signal no longer does what it does by default; afterwards it does again
/// (signal(7)). Several objects may watch the same number: all are told.
class HALYARD_API UnixSignal : public Object, private Dispatchable {
  public:
    /// Where the number cannot be watched (SIGKILL, out of range) the reason is logged, and isValid() is false.
    explicit UnixSignal(int number, Object* parent = nullptr);
    ~UnixSignal() override;

    int number() const noexcept { return number_; }              ///< The signal's number.
    bool isValid() const noexcept { return handle_ != nullptr; } ///< False where the number cannot be caught.

    /// Emitted with the number when the process has received it: once for any number of receptions between two turns,
    /// as the system itself coalesces them.
    Signal<int> received{this};

  protected:
    void leavingThread() override;
    void enteredThread() override; ///< What the process receives between the two is not told, and does nothing else.

  private:
    friend struct UnixSignalHandle;
    void dispatch() override;
    void watch();
    void letGo() noexcept;

    int number_;
    UnixSignalHandle* handle_ = nullptr;
};

} // namespace halyard
