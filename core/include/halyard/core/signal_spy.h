#pragma once

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/object.h>
#include <halyard/signals/signal.h>

#include <chrono>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace halyard {

/// Keeps what a signal emits, for tests.
///
///     SignalSpy spy(server.newConnection);
///     client.connectToHost(HostAddress::LocalHost, server.serverPort());
///     CHECK(spy.wait());
///     CHECK(spy.count() == 1);
///
/// The signal may die before the spy, and the spy before the signal, in a slot too.
template <class... Args>
class SignalSpy : public Object {
    static_assert((std::is_copy_constructible_v<std::decay_t<Args>> && ...),
                  "a spy keeps copies of the arguments: they must be copyable");

  public:
    using Emission = std::tuple<std::decay_t<Args>...>; ///< The arguments of one emission, kept by value.

    /// From now on.
    explicit SignalSpy(Signal<Args...>& signal)
        : connection_(
              signal.connect(this, [this](const std::decay_t<Args>&... args) { emissions_.emplace_back(args...); })) {}

    /// False once the signal is gone, and where it could not be connected.
    bool isValid() const noexcept { return connection_.isConnected(); }

    std::size_t count() const noexcept { return emissions_.size(); } ///< How many emissions there were.
    bool isEmpty() const noexcept { return emissions_.empty(); }     ///< There was none.

    /// In the order of emission.
    const std::vector<Emission>& emissions() const noexcept { return emissions_; }
    /// The first is 0. Throws std::out_of_range.
    const Emission& operator[](std::size_t place) const { return emissions_.at(place); }
    /// Throws std::out_of_range where there is none.
    const Emission& last() const { return emissions_.at(count() - 1); }

    /// The first one, which is then forgotten. There must be one.
    Emission takeFirst() {
        Emission first = std::move(emissions_.at(0));
        emissions_.erase(emissions_.begin());
        return first;
    }
    void clear() noexcept { emissions_.clear(); } ///< Forgets them.

    /// Runs this thread's loop until the signal is emitted once more; for ever with a negative time. False when the
    /// time is over, when the signal or the spy is gone, and where the loop cannot be run.
    bool wait(std::chrono::milliseconds atMost = std::chrono::seconds(5)) {
        EventLoop& its = *EventLoop::current();
        const Pointer<SignalSpy> self(this);
        const bool forEver = atMost.count() < 0;
        const auto until = WaitClock::after(atMost);
        const std::size_t before = emissions_.size();
        while (self && emissions_.size() <= before) {
            if (!isValid())
                return false;
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - WaitClock::now());
            if (!forEver && left.count() < 0)
                return false;
            if (!its.processEvents(forEver ? atMost : left))
                return self && emissions_.size() > before;
        }
        return static_cast<bool>(self);
    }

  private:
    std::vector<Emission> emissions_;
    Connection connection_; // ends with the spy, which is the receiver
};

} // namespace halyard
