// An echo server in a program whose loop is libevent's, beside an event of libevent's.
#include "echo_service.h"

#include <halyard/adapters/libevent.h>

int main(int argc, char** argv) {
    event_base* const base = event_base_new();
    int status = 1;
    {
        const halyard::LibeventDriver driver(base);
        EchoService echo;
        const auto report = [](evutil_socket_t, short, void* service) { static_cast<EchoService*>(service)->report(); };
        event* const timer = event_new(base, -1, EV_PERSIST, report, &echo);
        const timeval interval{0, 100'000};
        event_add(timer, &interval);
        if (echo.listen(argc, argv)) {
            event_base_dispatch(base);
            status = 0;
        }
        event_free(timer);
    }
    event_base_free(base);
    return status;
}
