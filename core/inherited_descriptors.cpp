#include <halyard/core/inherited_descriptors.h>

#include "environment_number.h"
#include "handover.h"

#include <halyard/core/log.h>

#include <string_view>

#include <fcntl.h>
#include <unistd.h>

// NOLINTBEGIN(concurrency-mt-unsafe): the environment is read before other threads run, as the header asks for

namespace halyard {

namespace {

/// Calls it what the next of the names, between colons, says.
std::string cutName(std::string_view& names) {
    const std::size_t colon = names.find(':');
    std::string name(names.substr(0, colon));
    names.remove_prefix(colon == std::string_view::npos ? names.size() : colon + 1);
    return name;
}

std::vector<InheritedDescriptor> inheritedNow() {
    if (std::getenv("LISTEN_PID") == nullptr || std::getenv("LISTEN_FDS") == nullptr)
        return {};
    const auto process = environmentNumber<pid_t>("LISTEN_PID");
    const auto count = environmentNumber<int>("LISTEN_FDS");
    const long most = ::sysconf(_SC_OPEN_MAX);
    if (!process || !count || *count < 0 || (most > 0 && *count > most - firstInherited)) {
        logMessage(LogLevel::Warning, "halyard.core", "LISTEN_PID and LISTEN_FDS are no numbers: nothing is inherited");
        return {};
    }
    if (*process != ::getpid()) // they were meant for a parent
        return {};
    const char* const given = std::getenv("LISTEN_FDNAMES");
    std::string_view names = given != nullptr ? given : "";
    std::vector<InheritedDescriptor> all;
    for (int i = 0; i != *count; ++i) {
        const int number = firstInherited + i;
        std::string name = cutName(names);
        const int flags = ::fcntl(number, F_GETFD);
        if (flags >= 0 && ::fcntl(number, F_SETFD, flags | FD_CLOEXEC) == 0)
            all.push_back({number, std::move(name)});
        else
            logMessage(LogLevel::Warning, "halyard.core",
                       "descriptor " + std::to_string(number) + " of LISTEN_FDS is not open");
    }
    return all;
}

} // namespace

std::vector<InheritedDescriptor> takeInheritedDescriptors() {
    std::vector<InheritedDescriptor> all = inheritedNow();
    for (const char* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        ::unsetenv(each);
    return all;
}

} // namespace halyard

// NOLINTEND(concurrency-mt-unsafe)
