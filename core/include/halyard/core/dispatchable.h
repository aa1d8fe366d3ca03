#pragma once

#include <halyard/signals/affinity.h>
#include <halyard/signals/export.h>

#include <cstdint>

namespace halyard {

class Dispatcher;

/// What of a loop stands within reach of those that it calls: they look at it with every message.
struct DispatchState {
    alignas(detail::lineSize) std::uint32_t depth = 0; ///< slots, tasks and timers on the stack
    bool isAwaited = false;                            ///< somebody waits for the running one to return
    /// How many bytes each of those that are ready together should take at once. A thousand that have much to say
    /// make a turn in which everybody else waits: with 64 KiB for each that was a third of a second.
    std::uint32_t share = wholeShare;

    static constexpr std::uint32_t wholeShare = 256 * 1024; ///< of each of a few

    using Hook = void (*)() noexcept; ///< What is called.
    /// Called before a loop runs inside a slot, with every turn: for what would else wait for the slot's return.
    static inline constinit Hook beforeNestedTurn = nullptr;
};

/// Something that a loop calls, and the step between readiness and objects: what gathers readiness only schedules;
/// the loop calls dispatch() on its own frame afterwards. It stands in the loop's list by itself and allocates
/// nothing. It may be deleted at any time on its thread, from inside dispatch() too.
class HALYARD_API Dispatchable {
  public:
    Dispatchable(const Dispatchable&) = delete;
    Dispatchable& operator=(const Dispatchable&) = delete;

  protected:
    /// Belongs to the calling thread's loop.
    Dispatchable();
    virtual ~Dispatchable();

    /// Calls dispatch() once, in the next turn of the loop. What is scheduled already stays where it is.
    void schedule();
    void unschedule() noexcept;                                        ///< It is not dispatched in the coming turn.
    bool isScheduled() const noexcept { return previous_ != nullptr; } ///< It is on the list of the loop.

    /// Calls slotReturned() once, as soon as the slot, task or timer that runs now has returned; outside any of
    /// them, in the next turn.
    void scheduleSlotReturned();

    /// True while a slot, task or timer of the thread runs on behalf of its loop or of a blocking wait.
    bool inDispatch() const noexcept { return state_->depth != 0; }
    /// How many of them there are: one that runs inside another one, in a loop or a wait of that one's own, counts too.
    const DispatchState& dispatchState() const noexcept { return *state_; }

    /// The two halves of a move to another thread: leaveLoop() on the one that it leaves, which takes it off all
    /// lists, then joinLoop() on the one that it has come to, which schedules what was scheduled. Nothing else is
    /// called in between, but the destructor may be.
    virtual void leaveLoop() noexcept;
    virtual void joinLoop(); ///< Finds the loop of this thread.

    virtual void dispatch() = 0;   ///< Its turn has come. It may delete itself.
    virtual void slotReturned() {} ///< Emits nothing and throws nothing.

    Dispatcher& dispatcher() const noexcept; ///< Of the loop that it is in.

  private:
    friend class Dispatcher;

    DispatchState* state_;              ///< the dispatcher's
    Dispatchable* next_ = nullptr;      ///< itself where it was scheduled and is between two loops
    Dispatchable** previous_ = nullptr; ///< null while it is in no list
    std::uint32_t turn_ = 0;            ///< the turn that it was scheduled in
    std::uint32_t slotPlace_ = 0;       ///< one more than its place among those that wait for the slot to return
};

/// As long as it exists, what runs counts as a dispatch; at its end slotReturned() is called for those who asked.
/// Blocking waits use it around their emissions.
class HALYARD_API DispatchScope {
  public:
    DispatchScope();
    DispatchScope(const DispatchScope&) = delete;
    DispatchScope& operator=(const DispatchScope&) = delete;
    ~DispatchScope();

  private:
    Dispatcher& dispatcher_;
};

} // namespace halyard
