#pragma once

#include <halyard/core/event_loop.h>

#include <glib.h>

#include <algorithm>
#include <chrono>

namespace halyard {

/// Drives the calling thread's EventLoop from GLib's main loop, GTK's for instance. The program runs g_main_loop_run()
/// on this thread, and Halyard's objects live in it. Needs GLib 2.36; the library itself does not know GLib.
///
///     halyard::GlibDriver driver; // of the default context
///     halyard::TcpServer server;
///     server.listen(halyard::HostAddress::LocalHost, 7000);
///     g_main_loop_run(loop);
///
/// A slot may run a nested main loop: Halyard goes on in it. An exception that leaves a slot goes to
/// EventLoop::setExceptionHandler(). The driver may be destroyed in a slot. Loop thread only.
class GlibDriver {
  public:
    /// Attached to `context`, null being the default one, which this thread runs.
    explicit GlibDriver(GMainContext* context = nullptr) {
        static GSourceFuncs functions{&prepare, &check, &dispatch, nullptr, nullptr, nullptr};
        auto* const source = reinterpret_cast<Source*>(g_source_new(&functions, sizeof(Source)));
        source->loop = EventLoop::current();
        source->descriptor = g_source_add_unix_fd(&source->base, source->loop->backendFd(), G_IO_IN);
        source_ = &source->base;
        g_source_set_name(source_, "halyard");
        g_source_set_can_recurse(source_, TRUE);
        g_source_attach(source_, context);
    }
    GlibDriver(const GlibDriver&) = delete;
    GlibDriver& operator=(const GlibDriver&) = delete;
    ~GlibDriver() {
        g_source_destroy(source_);
        g_source_unref(source_);
    }

    /// For its priority, its name.
    GSource* source() const noexcept { return source_; }

  private:
    struct Source {
        GSource base;
        EventLoop* loop;
        gpointer descriptor;
    };
    static Source& its(GSource* source) noexcept { return *reinterpret_cast<Source*>(source); }

    static gboolean prepare(GSource* source, gint* wait) noexcept {
        constexpr std::chrono::milliseconds longest = std::chrono::hours(1);
        const auto timeout = its(source).loop->backendTimeout();
        *wait = timeout ? static_cast<gint>(std::min(*timeout, longest).count()) : -1;
        return *wait == 0 ? TRUE : FALSE;
    }

    static gboolean check(GSource* source) noexcept {
        return g_source_query_unix_fd(source, its(source).descriptor) != 0 ||
                       its(source).loop->backendTimeout() == std::chrono::milliseconds(0)
                   ? TRUE
                   : FALSE;
    }

    static gboolean dispatch(GSource* source, GSourceFunc /*callback*/, gpointer /*data*/) noexcept {
        its(source).loop->driveOnce();
        return G_SOURCE_CONTINUE;
    }

    GSource* source_;
};

} // namespace halyard
