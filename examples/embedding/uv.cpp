// An echo server in a program that owns and runs a uv loop, beside a timer of the program's own.
#include "echo_service.h"

#include <halyard/core/event_loop.h>

#include <uv.h>

int main(int argc, char** argv) {
    uv_loop_t loop;
    uv_loop_init(&loop);
    int status = 1;
    {
        halyard::EventLoop halyardsLoop(&loop); // before the first object
        EchoService echo;
        uv_timer_t timer;
        uv_timer_init(&loop, &timer);
        timer.data = &echo;
        const auto report = [](uv_timer_t* handle) { static_cast<EchoService*>(handle->data)->report(); };
        uv_timer_start(&timer, report, 100, 100);
        if (echo.listen(argc, argv)) {
            uv_run(&loop, UV_RUN_DEFAULT);
            status = 0;
        }
        uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    uv_run(&loop, UV_RUN_NOWAIT); // for the handles that the loop has closed
    uv_loop_close(&loop);
    return status;
}
