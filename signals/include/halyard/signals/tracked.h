#pragma once

#include <halyard/signals/export.h>

namespace halyard {

class Executor;
class SignalBase;
class PointerBase;

namespace detail {
struct Link;
struct LinkRing;
} // namespace detail

/// The base of whatever receives signals: when it dies, its connections end and its guarded pointers are null.
///
///     struct Counter : halyard::Tracked {
///         void add(int n) { sum += n; }
///         int sum = 0;
///     };
///     Counter counter;
///     changed.connect(&counter, &Counter::add);
///
/// It lives on the thread that made it: its slots run there.
class HALYARD_API Tracked {
  public:
    Tracked(const Tracked&) = delete;
    Tracked& operator=(const Tracked&) = delete;

    /// Where its queued calls run: the executor of the thread that made it. Null where that thread had none.
    Executor* executor() const noexcept { return executor_; }

  protected:
    Tracked() noexcept;
    ~Tracked();

    /// Ends all connections into this object, and what they had queued. The destructor does it anyhow, but only
    /// after the derived parts are gone; a class whose slots another thread may call does it first thing in the
    /// destructor of its most derived part.
    void endConnections() noexcept;

    /// Makes every guarded pointer to this object null.
    void clearPointers() noexcept;

    void setExecutor(Executor* executor) noexcept { executor_ = executor; }

    /// While true, no signal that this object owns reaches any slot.
    bool signalsAreBlocked() const noexcept { return signalsBlocked_; }
    void setSignalsBlocked(bool blocked) noexcept { signalsBlocked_ = blocked; }

  private:
    friend class SignalBase;
    friend class PointerBase;
    friend struct detail::Link;
    friend struct detail::LinkRing;

    detail::Link* incoming_ = nullptr;
    PointerBase* pointers_ = nullptr;
    Executor* executor_;
    bool signalsBlocked_ = false;
};

} // namespace halyard
