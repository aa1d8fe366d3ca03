#pragma once

#include <halyard/net/host_lookup.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace halyard {

class ResolverPool;

/// A name on its way to a resolver and back: what the object that asked shares with the thread that works on it.
///
/// The thread tells of the answer while it holds the lock under which the asking side says that it no longer waits.
/// So whoever asked may die at any time, and its loop with it, and nobody is told who is not there.
class HostQuery : public std::enable_shared_from_this<HostQuery> {
  public:
    /// How many names are worked on that somebody waits for, and how many threads there may be, with those that
    /// still work on names that nobody waits for any more.
    static constexpr int maxWaitedFor = 8;
    static constexpr int maxThreads = 64;

    /// Asks. `answered` is called on the thread that `asker` lives on, unless somebody forgot() or took the answer
    /// before.
    static std::shared_ptr<HostQuery> ask(std::string name, std::shared_ptr<const HostLookup::Resolver> resolver,
                                          const Tracked& asker, std::function<void()> answered);

    /// Blocks until there is an answer, or `until` (none: for ever). Whether there is.
    bool wait(std::optional<Clock::time_point> until);

    /// The answer, which there must be.
    HostAnswer take();

    /// Nobody waits any more.
    void forget();

    ~HostQuery();

  private:
    friend class ResolverPool;
    struct Answered;
    enum class Stage { Queued, Running, Answered };

    HostQuery();
    ResolverPool* pool_ = nullptr;
    std::string name_;
    std::shared_ptr<const HostLookup::Resolver> resolver_;
    std::function<void()> answered_; ///< touched on the asking thread only

    // Under the lock of the pool.
    const Tracked* asker_ = nullptr;    ///< null when nobody waits any more
    std::unique_ptr<Answered> telling_; ///< made before it is needed: the threads have nobody to tell that it cannot be
    std::condition_variable hasAnswer_;
    HostAnswer answer_;
    Stage stage_ = Stage::Queued;
};

} // namespace halyard
