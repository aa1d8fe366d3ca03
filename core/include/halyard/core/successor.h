#pragma once

#include <halyard/core/object.h>
#include <halyard/signals/pointer.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace halyard {

class FdNotifier;
class Timer;

/// The process that takes over from this one: it is started with this one's listening sockets, and tells when it
/// serves. Meanwhile, and where it fails, this one goes on; no client is refused, because the sockets never close.
///
///     Successor successor({argv, argv + argc});
///     successor.give(server.socketDescriptor(), "front");
///     successor.ready.connect([&] { drain.start(30s); });         // its turn is over
///     successor.failed.connect([&](const std::string& why) { complain(why); });
///     successor.start();
///
/// The successor finds the sockets by takeInheritedDescriptors(), and says that it serves by ServiceNotifier::ready():
/// a program that can be started by systemd can take over. Both accept from a socket that was given until this one
/// closes it; use releaseDescriptor() of a Unix-domain server, so that its file stays.
///
/// Deleting this ends a successor that is not ready yet; one that is lives on.
/// @since 0.1
class HALYARD_API Successor : public Object {
  public:
    /// `command` is the program, found as a shell finds it, and its arguments.
    explicit Successor(std::vector<std::string> command, Object* parent = nullptr);
    ~Successor() override;

    /// The successor gets a duplicate of it under this name, in the order of the calls. Names may repeat; a colon,
    /// which separates them on their way, becomes an '='.
    void give(int descriptor, const std::string& name);

    /// Starts it, with this process's environment and standard streams. False, with errorString(), where that cannot
    /// be; else ready or failed comes. One that is not ready in time is killed.
    bool start(std::chrono::milliseconds limit = std::chrono::seconds(30));

    pid_t processId() const noexcept { return process_; } ///< −1 before it was started, and after it has failed.
    /// Why the last one did not come; "" where it did.
    const std::string& errorString() const noexcept { return error_; }

    Signal<> ready{this};             ///< It serves. A slot may do anything.
    Signal<std::string> failed{this}; ///< It does not, and is no more; a sentence says why. A slot may do anything.

  private:
    void hear();
    void giveUp(const std::string& why);
    int stopHearing();

    std::vector<std::string> command_;
    std::vector<std::pair<int, std::string>> given_;
    std::string error_;
    pid_t process_ = -1;
    Pointer<FdNotifier> notifier_;
    Pointer<Timer> deadline_;
    int pipe_ = -1; ///< ends with the successor, or says that it is ready
};

} // namespace halyard
