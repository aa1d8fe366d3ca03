#pragma once

#include <halyard/signals/affinity.h>
#include <halyard/signals/export.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>

namespace halyard {

class Executor;
class Runnable;
class SignalBase;
class PointerBase;

namespace detail {
class Emission;
struct Link;
struct LinkRing;
struct Running;
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

    /// Where its queued calls run: the executor of the thread that it lives on; null where that has none.
    /// Thread-safe.
    Executor* executor() const noexcept { return affinity().executor.load(std::memory_order_acquire); }

    /// Hands `task` to that executor; gives it back where there is none, or it has ended. Thread-safe.
    std::unique_ptr<Runnable> post(std::unique_ptr<Runnable> task) const;

    /// Whether it lives on the calling thread. Thread-safe.
    bool livesHere() const noexcept { return &affinity() == detail::currentAffinity; }

    /// Ends every connection to this object from a signal that `sender` owns, and takes back what they had queued. How
    /// many there were. Thread-safe.
    std::size_t disconnectFrom(const Tracked* sender) noexcept;

  protected:
    Tracked() noexcept;
    ~Tracked();

    /// Ends all connections into this object, and what they had queued. The destructor does it anyhow, but only
    /// after the derived parts are gone; a class whose slots another thread may call does it first thing in the
    /// destructor of its most derived part. Thread-safe.
    void endConnections() noexcept;

    /// Makes every guarded pointer to this object null.
    void clearPointers() noexcept;

    /// In a slot of this object: whose signal called it. Null in no slot, for a signal that has no owner, and where
    /// that is gone.
    Tracked* signalOwner() const noexcept;

    /// Whether a slot runs on this thread that a signal of this object called.
    bool isEmitting() const noexcept;

    /// Takes objects that live on this thread to another one, with their connections and with the calls that are
    /// queued for them, in their order. `first` runs there before those. Null; or `first`, and nothing has moved,
    /// where the thread has no executor that takes it.
    static std::unique_ptr<Runnable> moveTo(detail::Affinity& thread, std::span<Tracked* const> objects,
                                            std::unique_ptr<Runnable> first) noexcept;
    /// Of the thread that it lives on.
    detail::Affinity& affinity() const noexcept { return *affinity_.load(std::memory_order_relaxed); }

    /// While true, no signal that this object owns reaches any slot.
    bool signalsAreBlocked() const noexcept { return signalsBlocked_.load(std::memory_order_relaxed); }
    /// See signalsAreBlocked().
    void setSignalsBlocked(bool blocked) noexcept { signalsBlocked_.store(blocked, std::memory_order_relaxed); }

  private:
    friend class SignalBase;
    friend class PointerBase;
    friend class detail::Emission;
    friend struct detail::Running;
    friend struct detail::Link;
    friend struct detail::LinkRing;

    detail::Link* incoming_ = nullptr;
    PointerBase* pointers_ = nullptr;
    std::atomic<detail::Affinity*> affinity_;
    std::atomic<bool> signalsBlocked_ = false;

  protected:
    bool isObject_ = false;   ///< the base of a core Object
    bool isArriving_ = false; ///< of an Object: it has moved to this thread, and not joined its loop yet
};

} // namespace halyard
