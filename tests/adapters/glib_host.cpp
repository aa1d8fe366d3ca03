#include <halyard/adapters/glib.h>

#include "host.h"

#include <optional>
#include <utility>

namespace halyard::test {

namespace {

class GlibHost final : public Host {
  public:
    GlibHost() { driver_.emplace(context_.get()); }

    bool runUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) override {
        bool late = false;
        GSource* const giveUp = timeout(patience, [&late] { late = true; });
        for (; !late && !condition(); ++turns)
            g_main_context_iteration(context_.get(), TRUE);
        g_source_destroy(giveUp);
        g_source_unref(giveUp);
        return !late;
    }

    void after(std::chrono::milliseconds wait, std::function<void()> callback) override {
        g_source_unref(timeout(wait, std::move(callback)));
    }

    void endDriver() override { driver_.reset(); }

    bool mayNest() const override { return true; }

  private:
    using Function = std::function<void()>;
    struct Unref {
        void operator()(GMainContext* context) const noexcept { g_main_context_unref(context); }
    };

    GSource* timeout(std::chrono::milliseconds wait, Function callback) const {
        GSource* const source = g_timeout_source_new(static_cast<guint>(wait.count()));
        const auto call = [](gpointer function) -> gboolean {
            (*static_cast<Function*>(function))();
            return G_SOURCE_REMOVE;
        };
        g_source_set_callback(source, call, new Function(std::move(callback)),
                              [](gpointer function) { delete static_cast<Function*>(function); });
        g_source_attach(source, context_.get());
        return source;
    }

    std::unique_ptr<GMainContext, Unref> context_{g_main_context_new()};
    std::optional<GlibDriver> driver_;
};

} // namespace

std::unique_ptr<Host> makeHost() { return std::make_unique<GlibHost>(); }

} // namespace halyard::test
