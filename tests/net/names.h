#pragma once

#include <halyard/net/host_lookup.h>

#include <pump.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace halyard::test {

/// The name service of a test, instead of the system's while it lives: it knows the names that it was told, and holds
/// its answers back for as long as the test wants.
class Names {
  public:
    explicit Names(std::map<std::string, std::vector<HostAddress>> known = {}) {
        state_->known = std::move(known);
        HostLookup::setResolver([state = state_](const std::string& name) { return state->answer(name); });
    }
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;
    ~Names() {
        HostLookup::setResolver({});
        release();
    }

    /// From now on whoever asks for `name` gets no answer before release(); "" stands for every name.
    void hold(const std::string& name = {}) {
        const std::lock_guard lock(state_->mutex);
        state_->held.push_back(name);
    }

    void release() {
        const std::lock_guard lock(state_->mutex);
        state_->held.clear();
        state_->changed.notify_all();
    }

    /// Waits until so many are being asked for at once.
    bool awaitAsking(int count) {
        std::unique_lock lock(state_->mutex);
        return state_->changed.wait_for(lock, patience(), [&] { return state_->asking == count; });
    }

    int asked() const {
        const std::lock_guard lock(state_->mutex);
        return state_->asked;
    }

    /// How many were asked for at once, at most.
    int most() const {
        const std::lock_guard lock(state_->mutex);
        return state_->most;
    }

  private:
    struct State {
        HostAnswer answer(const std::string& name) {
            std::unique_lock lock(mutex);
            ++asked;
            most = std::max(most, ++asking);
            changed.notify_all();
            const auto isHeld = [&](const std::string& each) { return each.empty() || each == name; };
            changed.wait(lock, [&] { return std::none_of(held.begin(), held.end(), isHeld); });
            --asking;
            changed.notify_all();
            const auto found = known.find(name);
            if (found == known.end())
                return {{}, SocketError::HostNotFound, "the test does not know it"};
            return {found->second, SocketError::None, {}};
        }

        std::mutex mutex;
        std::condition_variable changed;
        std::map<std::string, std::vector<HostAddress>> known;
        std::vector<std::string> held;
        int asked = 0;
        int asking = 0;
        int most = 0;
    };

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

} // namespace halyard::test
