// What whoever starts a program may have written into its environment: seven variables, a line each. Where the value of
// LISTEN_PID or WATCHDOG_PID is "$", it is this process.
#include "demand.h"
#include "handover.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/inherited_descriptors.h>
#include <halyard/core/log.h>
#include <halyard/core/service_notifier.h>

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace halyard;

namespace {

constexpr int mostDescriptors = 32;

bool isOpen(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

void setVariable(const char* name, std::string_view value, bool isProcess) {
    if (value.empty())
        ::unsetenv(name);
    else
        ::setenv(name, isProcess && value == "$" ? std::to_string(::getpid()).c_str() : std::string(value).c_str(), 1);
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    setLogSink([](LogLevel, std::string_view, std::string_view) {});
    const rlimit limit{mostDescriptors, mostDescriptors};
    return ::setrlimit(RLIMIT_NOFILE, &limit);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = fuzz::textOf(data, size);
    for (const char* name : {"LISTEN_PID", "WATCHDOG_PID"})
        setVariable(name, fuzz::cutLine(text), true);
    for (const char* name : {"LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC"})
        setVariable(name, fuzz::cutLine(text), false);

    const auto inherited = takeInheritedDescriptors();
    fuzz::demand(inherited.size() <= mostDescriptors);
    for (const InheritedDescriptor& each : inherited)
        fuzz::demand(isOpen(each.number) && each.number >= 3 && each.name.find(':') == std::string::npos);
    fuzz::demand(takeInheritedDescriptors().empty() && std::getenv("LISTEN_FDNAMES") == nullptr);

    // A notifier closes the descriptor that it is given: here that is a copy of one, or none.
    const int copy = ::dup(0);
    const std::string descriptor(fuzz::cutLine(text));
    const bool isCopy = descriptor == "$";
    if (isCopy)
        ::setenv(readyDescriptorVariable, std::to_string(copy).c_str(), 1);
    else if (!isOpen(std::atoi(descriptor.c_str())))
        ::setenv(readyDescriptorVariable, descriptor.c_str(), 1);
    {
        const ServiceNotifier notifier;
        fuzz::demand(notifier.watchdogTime().count() >= 0);
        fuzz::demand(notifier.watchdogTime().count() == 0 || notifier.isSupervised());
        fuzz::demand(std::getenv(readyDescriptorVariable) == nullptr || !isCopy);
    }
    fuzz::demand(isOpen(copy) != isCopy && isOpen(0) && isOpen(1) && isOpen(2));
    if (!isCopy)
        ::close(copy);
    return 0;
}
