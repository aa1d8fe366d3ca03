#include <halyard/core/service_notifier.h>

#include "environment_number.h"
#include "handover.h"
#include "no_sigpipe.h"

#include <halyard/core/log.h>
#include <halyard/core/timer.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// NOLINTBEGIN(concurrency-mt-unsafe): the environment is read before other threads run, as the header asks for

namespace halyard {

using namespace std::chrono_literals;

ServiceNotifier::ServiceNotifier(Object* parent) : Object(parent) {
    if (const char* const name = std::getenv("NOTIFY_SOCKET"); name != nullptr && (*name == '/' || *name == '@'))
        socket_ = name;
    const auto process = environmentNumber<pid_t>("WATCHDOG_PID");
    const auto time = environmentNumber<std::int64_t>("WATCHDOG_USEC");
    if (isSupervised() && time && *time > 0 && (!process || *process == ::getpid()))
        watchdogTime_ = std::chrono::microseconds(*time);
    if (const auto descriptor = environmentNumber<int>(readyDescriptorVariable)) {
        ::unsetenv(readyDescriptorVariable);
        if (::fcntl(*descriptor, F_SETFD, FD_CLOEXEC) == 0)
            predecessor_ = *descriptor;
    }
}

ServiceNotifier::~ServiceNotifier() {
    if (predecessor_ >= 0)
        ::close(predecessor_);
}

bool ServiceNotifier::ready() {
    if (const int predecessor = std::exchange(predecessor_, -1); predecessor >= 0) {
        const bool isHeard = [predecessor] {
            const NoSigpipe quiet;
            return ::write(predecessor, "\n", 1) == 1;
        }();
        if (!isHeard)
            logMessage(LogLevel::Warning, "halyard.core", "the predecessor does not hear that its successor is ready");
        ::close(predecessor);
    }
    if (watchdogTime_ != 0us && signOfLife_ == nullptr) {
        signOfLife_ = new Timer(this);
        signOfLife_->timeout.connect(this, [this] { send("WATCHDOG=1"); });
        signOfLife_->start(std::max(1ms, std::chrono::floor<std::chrono::milliseconds>(watchdogTime_ / 2)));
    }
    return send("READY=1");
}

bool ServiceNotifier::stopping() { return send("STOPPING=1"); }

bool ServiceNotifier::reloading() {
    // The supervisor compares this with its own clock, whatever clock the loop has.
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto time = std::chrono::seconds(now.tv_sec) + std::chrono::microseconds(now.tv_nsec / 1000);
    return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(time.count()));
}

bool ServiceNotifier::status(std::string_view text) { return send(std::string("STATUS=").append(text)); }

bool ServiceNotifier::mainProcess(pid_t process) { return send("MAINPID=" + std::to_string(process)); }

bool ServiceNotifier::send(std::string_view message) {
    if (!isOnItsThread("ServiceNotifier::send()") || !isSupervised())
        return false;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    int error = socket_.size() > sizeof name.sun_path ? ENAMETOOLONG : 0;
    if (error == 0) {
        std::copy(socket_.begin(), socket_.end(), name.sun_path);
        if (socket_.front() == '@')
            name.sun_path[0] = '\0';
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
        const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0 || ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                       reinterpret_cast<const sockaddr*>(&name), length) < 0)
            error = errno;
        if (descriptor >= 0)
            ::close(descriptor);
    }
    if (error != 0)
        logMessage(LogLevel::Warning, "halyard.core",
                   "cannot notify " + socket_ + ": " + std::generic_category().message(error));
    return error == 0;
}

} // namespace halyard

// NOLINTEND(concurrency-mt-unsafe)
