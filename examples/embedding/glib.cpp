// An echo server in a program whose loop is GLib's, beside a timer of GLib's.
#include "echo_service.h"

#include <halyard/adapters/glib.h>

int main(int argc, char** argv) {
    GMainLoop* const loop = g_main_loop_new(nullptr, FALSE);
    int status = 1;
    {
        const halyard::GlibDriver driver;
        EchoService echo;
        const auto report = [](gpointer service) -> gboolean {
            static_cast<EchoService*>(service)->report();
            return G_SOURCE_CONTINUE;
        };
        const guint timer = g_timeout_add(100, report, &echo);
        if (echo.listen(argc, argv)) {
            g_main_loop_run(loop);
            status = 0;
        }
        g_source_remove(timer);
    }
    g_main_loop_unref(loop);
    return status;
}
