// PROGRAM [SCENARIO...]: runs these scenarios, or all, and writes what each of them sees.
#include "scenario.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>

#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using compare::Scenario;

constexpr unsigned patience = 60; // seconds for one scenario

/// In the child: whoever uses what it has freed shall notice it every time.
[[noreturn]] void runHere(const Scenario& scenario) {
    constexpr rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::mallopt(M_PERTURB, 0x5a);
    ::alarm(patience);
    {
        const compare::Application application;
        scenario.run();
    }
    std::_Exit(0);
}

void run(const Scenario& scenario) {
    std::printf("%s\n", scenario.name().c_str());
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0)
        runHere(scenario);
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child)
        std::printf("there is no process for it\n");
    else if (WIFSIGNALED(status))
        std::printf(WTERMSIG(status) == SIGALRM ? "does not end\n" : "crashes\n");
    std::printf("\n");
}

} // namespace

int main(int argc, char** argv) {
    const std::span wanted(argv + 1, argv + argc);
    const auto isWanted = [wanted](const Scenario& scenario) {
        for (const std::string_view name : wanted)
            if (name == scenario.name())
                return true;
        return wanted.empty();
    };
    for (const Scenario* const each : Scenario::all())
        if (isWanted(*each))
            run(*each);
}
