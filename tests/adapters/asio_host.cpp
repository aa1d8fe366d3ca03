#include <halyard/adapters/asio.h>

#include "host.h"

#include <optional>
#include <utility>

namespace halyard::test {

namespace {

class AsioHost final : public Host {
  public:
    bool runUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) override {
        bool late = false;
        asio::steady_timer giveUp(context_, patience);
        giveUp.async_wait([&late](const std::error_code& error) {
            if (!error)
                late = true;
        });
        for (; !late && !condition(); ++turns)
            context_.run_one();
        giveUp.cancel();
        return !late;
    }

    void after(std::chrono::milliseconds wait, std::function<void()> callback) override {
        auto timer = std::make_shared<asio::steady_timer>(context_, wait);
        timer->async_wait([timer, callback = std::move(callback)](const std::error_code&) { callback(); });
    }

    void endDriver() override { driver_.reset(); }

    bool exceptionsComeOut() const override { return true; }

  private:
    asio::io_context context_;
    std::optional<AsioDriver> driver_{std::in_place, context_};
};

} // namespace

std::unique_ptr<Host> makeHost() { return std::make_unique<AsioHost>(); }

} // namespace halyard::test
