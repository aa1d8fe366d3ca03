#pragma once

#include "dispatcher.h"

#include <halyard/core/deadline.h>
#include <halyard/core/object.h>

#include <any>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace halyard {

/// What most objects have not.
struct Object::Extra {
    std::string name;
    std::vector<Object*> children; ///< null where one has gone: the others keep their places
    std::size_t gone = 0;
    bool ending = false;                  ///< the parent deletes them
    std::vector<Pointer<Object>> filters; ///< the last one sees an event first; null where one has gone
    std::vector<Pointer<Object>> watched; ///< those that it filters for
    int filtering = 0;                    ///< events that are before the filters, or before it as one
    int timing = 0;                       ///< handlers of timers that run
    std::vector<std::unique_ptr<IdTimer>> timers;
    std::vector<std::pair<std::string, std::any>> properties;
};

/// Where posted events look for their receiver, from whichever thread they come: it outlives it.
struct Object::Address {
    explicit Address(Object& its) noexcept : object(&its) {}

    void keep() noexcept { users.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (users.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete this;
    }

    std::atomic<Object*> object; ///< null once it is dying
    std::atomic<std::uint32_t> users = 1;
    std::atomic<std::uint32_t> moves = 0; ///< to other threads
};

/// A timer of startTimer().
class Object::IdTimer final : public Deadline {
  public:
    IdTimer(Object& owner, int id, std::chrono::milliseconds interval) : owner_(owner), id_(id), interval_(interval) {}

    int id() const noexcept { return id_; }
    void start() { arm(after(interval_)); }
    void leaveLoop() noexcept override {
        if (!isArmed()) // its handler runs
            arm(repeat(when(), interval_));
        Deadline::leaveLoop();
    }
    using Deadline::joinLoop;

  private:
    void dispatch() override;

    Object& owner_;
    int id_;
    std::chrono::milliseconds interval_;
};

/// Calls `use` with what runs the loop of its thread, from any thread; not at all where that has ended.
template <class Use>
void Object::withDispatcher(Use use) const {
    const detail::Section section(detail::Affinity::current()); // it does not end meanwhile
    if (auto* const dispatcher = static_cast<Dispatcher*>(executor()))
        use(*dispatcher);
}

} // namespace halyard
