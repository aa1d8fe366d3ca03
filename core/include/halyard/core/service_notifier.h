#pragma once

#include <halyard/core/object.h>

#include <chrono>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace halyard {

class Timer;

/// Tells whoever supervises this process how it is: systemd, by the protocol of sd_notify(3), and the predecessor that
/// it takes over from (Successor). Without either it does nothing.
///
///     ServiceNotifier supervisor;
///     server.listen(HostAddress::Any, 7000);
///     supervisor.ready();               // Type=notify waits for this
///     terminate.received.connect([&] { supervisor.stopping(); });
///
/// Where systemd wants a sign of life (WatchdogSec=), the loop sends it from ready() on, twice in that time: a loop
/// that stands still is found out.
///
/// To be made before other threads run: it looks at the environment.
/// @since 0.1
class HALYARD_API ServiceNotifier : public Object {
  public:
    explicit ServiceNotifier(Object* parent = nullptr); ///< Nothing is sent yet.
    ~ServiceNotifier() override;

    bool isSupervised() const noexcept { return !socket_.empty(); } ///< Whether NOTIFY_SOCKET names somebody.
    /// Within what time the supervisor wants a sign of life; 0 where it wants none.
    std::chrono::microseconds watchdogTime() const noexcept { return watchdogTime_; }

    // Each is true where there is somebody, and the system took the message.

    bool ready();    ///< It serves now: after the start, and after a reload.
    bool stopping(); ///< It is about to end.
    /// It reads its configuration anew; ready() says that it has.
    bool reloading();
    bool status(std::string_view text);  ///< One line for people (systemctl status).
    bool mainProcess(pid_t process);     ///< Another process is the service from now on.
    bool send(std::string_view message); ///< Any message of sd_notify(3): lines of NAME=value.

  private:
    std::string socket_; ///< a path, or '@' and an abstract name
    std::chrono::microseconds watchdogTime_{0};
    Timer* signOfLife_ = nullptr;
    int predecessor_ = -1;
};

} // namespace halyard
