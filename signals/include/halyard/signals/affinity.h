#pragma once

#include <halyard/signals/export.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

// Threads, as signals see them. Nothing here is for users of signals.
//
// What a signal and its receivers are made of belongs to threads, and has no locks. There are two ways to it:
//
//  - Section: a thread looks at, or changes, what belongs to itself alone. A store, a load and a branch.
//  - StoppedWorld: whatever concerns a second thread. No thread is in a Section as long as it lasts. A lock and a
//    membarrier(2), which is what makes a Section cheap: the stopping thread pays for the ordering of both.
//
// Neither runs code of a user: they end before a slot, a functor's destructor or a log sink is called.
namespace halyard {

class Executor;

namespace detail {

struct Running;

/// What two threads write side by side costs each of them a fetch of the line, each time.
inline constexpr std::size_t lineSize = 64;

/// One thread. Its record is never freed, only used again for a later thread when nobody lives on it any more.
struct HALYARD_API Affinity {
    static constexpr std::uint32_t belowId = (std::uint32_t{1} << 13) - 1; ///< bits that no id has, for others
    static constexpr std::uint32_t noId = ~belowId; ///< that no thread ever has, not even one without a record

    // What the thread itself writes all the time, in a line of the cache that no other thread needs.
    alignas(lineSize) std::atomic<bool> inSection = false;
    std::atomic<bool> mustWait = false; ///< the world stops, or nothing but the lock orders this thread's Sections
    std::uint32_t id = 0;               ///< 0 for nobody: a thread that has no record yet
    Running* emissions = nullptr;       ///< that run on it, the innermost first

  private:
    std::ptrdiff_t residents_ = 0; ///< as the thread itself counts them

  public:
    // What others look at.
    /// Where its queued calls go; changes in a StoppedWorld only.
    alignas(lineSize) std::atomic<Executor*> executor = nullptr;
    std::atomic<Affinity*> waitsFor = nullptr; ///< whose answer to a blocking call it waits for

    static Affinity& current() noexcept;
    bool isNobody() const noexcept { return id == 0; }

    /// Who lives on it counts itself, so that the record is not used again too early.
    void enter() noexcept;
    void leave() noexcept;

  private:
    friend class StoppedWorld;
    friend struct AffinityRecords;

    static Affinity& make() noexcept;
    bool isThis() const noexcept;

    std::atomic<std::ptrdiff_t> residentsOfOthers_ = 0; ///< as others do: moved here, gone from elsewhere
    std::atomic<bool> ended_ = false;                   ///< the thread has
    Affinity* next_ = nullptr;                          ///< of all
    Affinity* nextFree_ = nullptr;
};

// A word of the thread that is reached without a call, from the programs of users too.
#ifdef __ELF__
[[gnu::tls_model("initial-exec")]]
#endif
HALYARD_API extern constinit thread_local Affinity* currentAffinity; ///< never null

inline Affinity& Affinity::current() noexcept { return currentAffinity->isNobody() ? make() : *currentAffinity; }
inline bool Affinity::isThis() const noexcept { return currentAffinity == this; }

inline void Affinity::enter() noexcept {
    if (isThis())
        ++residents_;
    else
        residentsOfOthers_.fetch_add(1, std::memory_order_relaxed);
}

/// As long as it lasts, nothing that belongs to this thread is touched by another one.
class Section {
  public:
    explicit Section(Affinity& me) noexcept : me_(me) {
        me_.inSection.store(true, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst); // for the processor, membarrier(2) does it
        if (me_.mustWait.load(std::memory_order_acquire)) [[unlikely]]
            hasLock_ = takeLock(me_);
    }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;
    ~Section() {
        if (hasLock_) [[unlikely]]
            returnLock();
        else
            me_.inSection.store(false, std::memory_order_release);
    }

  private:
    // Not told of this object, which then needs no place in memory.
    HALYARD_API static bool takeLock(Affinity& me) noexcept; ///< True.
    HALYARD_API static void returnLock() noexcept;

    Affinity& me_;
    bool hasLock_ = false;
};

/// As long as it lasts, no thread is in a Section: everything may be touched.
class HALYARD_API StoppedWorld {
  public:
    StoppedWorld() noexcept { begin(); }
    StoppedWorld(const StoppedWorld&) = delete;
    StoppedWorld& operator=(const StoppedWorld&) = delete;
    ~StoppedWorld() { end(); }
    static void begin() noexcept;
    static void end() noexcept;

    /// Calls `look` with every thread's record.
    template <class Look>
    static void forEach(Look look) {
        for (Affinity* each = first(); each != nullptr; each = each->next_)
            look(*each);
    }

  private:
    static Affinity* first() noexcept;
};

} // namespace detail
} // namespace halyard
