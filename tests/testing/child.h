#pragma once

#include <pump.h>

#include <halyard/core/log.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string_view>

#include <sys/wait.h>
#include <unistd.h>

namespace halyard::test {

inline constexpr int byTerminate = 12;

/// How a child process ends that runs this: what it says, or byTerminate; negated, the signal that ends it.
template <class Work>
int inChild(Work work) {
    std::fflush(nullptr); // else it would be written twice
    std::cout.flush();
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(static_cast<unsigned>(patience().count() / 1000));
        std::set_terminate([] { ::_exit(byTerminate); });
        setLogSink([](LogLevel, std::string_view, std::string_view) {});
        std::exit(work()); // where a sanitizer looks for leaks
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

} // namespace halyard::test
