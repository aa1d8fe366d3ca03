// An echo server in a program with a poll(2) loop of its own, which also reports every 100 ms. No driver is needed: of
// Halyard it knows a descriptor, a time and a call. With epoll(7) it is the same.
#include "echo_service.h"

#include <halyard/core/event_loop.h>

#include <poll.h>

#include <algorithm>
#include <chrono>

int main(int argc, char** argv) {
    using namespace std::chrono_literals;
    using Clock = std::chrono::steady_clock;

    halyard::EventLoop loop;
    EchoService echo;
    if (!echo.listen(argc, argv))
        return 1;
    for (auto nextReport = Clock::now() + 100ms;;) {
        auto wait = std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(nextReport - Clock::now()));
        wait = std::min(wait, loop.backendTimeout().value_or(wait));
        pollfd watched[] = {{loop.backendFd(), POLLIN, 0}}; // and the program's own descriptors
        ::poll(watched, 1, static_cast<int>(wait.count()));
        loop.processEvents();
        if (Clock::now() >= nextReport) {
            echo.report();
            nextReport += 100ms;
        }
    }
}
