// An echo server in a program whose loop is a standalone Asio io_context, beside a timer of Asio's.
#include "echo_service.h"

#include <halyard/adapters/asio.h>

#include <chrono>
#include <functional>

int main(int argc, char** argv) {
    asio::io_context context;
    const halyard::AsioDriver driver(context);
    EchoService echo;

    asio::steady_timer timer(context);
    std::function<void()> reportLater = [&] {
        timer.expires_after(std::chrono::milliseconds(100));
        timer.async_wait([&](const std::error_code& error) {
            if (error)
                return;
            echo.report();
            reportLater();
        });
    };
    reportLater();

    if (!echo.listen(argc, argv))
        return 1;
    context.run();
}
