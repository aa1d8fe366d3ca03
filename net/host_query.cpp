#include "host_query.h"

#include <halyard/signals/executor.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include <unistd.h>

namespace halyard {

/// The threads that resolvers block. They are never joined, and the pool is never destroyed: a resolver that hangs
/// must not hold up the end of the program.
class ResolverPool {
  public:
    static ResolverPool& ofThisProcess();

    void add(std::shared_ptr<HostQuery> query);
    bool wait(HostQuery& query, std::optional<Clock::time_point> until);
    HostAnswer take(HostQuery& query);
    void forget(HostQuery& query);

  private:
    bool mayBegin() const noexcept { return !queue_.empty() && waitedFor_ < HostQuery::maxWaitedFor; }
    void provideThreads() noexcept;
    int startThread() noexcept;
    void work();
    static void answer(HostQuery& query, HostAnswer answer) noexcept;

    const pid_t process_ = ::getpid();
    std::mutex mutex_;
    std::condition_variable hasWork_;
    std::deque<std::shared_ptr<HostQuery>> queue_;
    int threads_ = 0;
    int idle_ = 0;      ///< threads without a query, those that are about to begin included
    int waitedFor_ = 0; ///< queries on a thread that somebody waits for
};

namespace {

/// In words that need no memory.
HostAnswer noMemory() noexcept { return {{}, SocketError::SocketResource, "no memory"}; }

HostAnswer ask(const HostLookup::Resolver& resolver, const std::string& name) {
    try {
        HostAnswer answer = resolver(name);
        if (answer.error == SocketError::None && answer.addresses.empty())
            return {{}, SocketError::HostNotFound, "the name has no address"};
        return answer;
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& error) {
        return {{}, SocketError::Unknown, error.what()};
    } catch (...) {
        return {{}, SocketError::Unknown, "the resolver threw an exception"};
    }
}

HostAnswer resolve(const HostLookup::Resolver& resolver, const std::string& name) noexcept {
    try {
        return ask(resolver, name);
    } catch (const std::bad_alloc&) {
        return noMemory();
    }
}

/// Why nobody asks: there could be no thread more, or (0) there may be none.
HostAnswer refusal(int error) noexcept {
    try {
        if (error == 0)
            return {{}, SocketError::Temporary, "as many threads as there may be hang in earlier lookups"};
        return {{}, SocketError::SocketResource, "no thread for it: " + std::generic_category().message(error)};
    } catch (const std::bad_alloc&) {
        return noMemory();
    }
}

/// While it lives, the calling thread's children are born deaf to signals: those are the application's.
class SignalsBlocked {
  public:
    SignalsBlocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

} // namespace

/// Goes through the loop of who asked.
struct HostQuery::Answered final : Runnable {
    explicit Answered(const Tracked& who) noexcept : asker(&who) {}
    void run() override {
        if (const auto answered = std::move(query->answered_))
            answered();
    }
    const Tracked* receiver() const noexcept override { return query->answered_ ? asker : nullptr; }
    std::shared_ptr<HostQuery> query; ///< from when it is posted
    const Tracked* asker;
};

HostQuery::HostQuery() = default;
HostQuery::~HostQuery() = default;

// --- the query, as seen by who asks ---

std::shared_ptr<HostQuery> HostQuery::ask(std::string name, std::shared_ptr<const HostLookup::Resolver> resolver,
                                          const Tracked& asker, std::function<void()> answered) {
    std::shared_ptr<HostQuery> query(new HostQuery);
    query->pool_ = &ResolverPool::ofThisProcess();
    query->name_ = std::move(name);
    query->resolver_ = std::move(resolver);
    query->asker_ = &asker;
    query->telling_ = std::make_unique<Answered>(asker);
    query->answered_ = std::move(answered);
    query->pool_->add(query);
    return query;
}

bool HostQuery::wait(std::optional<Clock::time_point> until) { return pool_->wait(*this, until); }

HostAnswer HostQuery::take() {
    answered_ = nullptr;
    return pool_->take(*this);
}

void HostQuery::forget() {
    answered_ = nullptr;
    pool_->forget(*this);
}

// --- the pool ---

ResolverPool& ResolverPool::ofThisProcess() {
    // A child of fork(2) has none of its parent's threads, and perhaps a lock that one of them holds: it starts anew.
    static std::atomic<ResolverPool*> current = nullptr;
    ResolverPool* pool = current.load();
    while (pool == nullptr || pool->process_ != ::getpid()) {
        auto fresh = std::make_unique<ResolverPool>();
        if (current.compare_exchange_strong(pool, fresh.get()))
            pool = fresh.release();
    }
    return *pool;
}

void ResolverPool::add(std::shared_ptr<HostQuery> query) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(query));
    provideThreads();
}

/// Sees to it that what may begin does.
void ResolverPool::provideThreads() noexcept {
    int error = 0;
    const auto wanted = std::min(static_cast<int>(queue_.size()), std::max(HostQuery::maxWaitedFor - waitedFor_, 0));
    while (error == 0 && idle_ < wanted && threads_ < HostQuery::maxThreads)
        error = startThread();
    for (int i = 0; i != std::min(wanted, idle_); ++i)
        hasWork_.notify_one();
    // Nobody is there who would ever take them.
    if (idle_ == 0 && waitedFor_ == 0)
        for (; !queue_.empty(); queue_.pop_front())
            answer(*queue_.front(), refusal(error));
}

int ResolverPool::startThread() noexcept {
    try {
        const SignalsBlocked whileItIsBorn;
        std::thread([this] { work(); }).detach();
    } catch (const std::system_error& error) {
        return error.code().value();
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
    ++threads_;
    ++idle_;
    return 0;
}

void ResolverPool::work() {
    constexpr std::chrono::seconds patience(10);
    std::unique_lock lock(mutex_);
    while (hasWork_.wait_for(lock, patience, [this] { return mayBegin(); })) {
        std::shared_ptr<HostQuery> query = std::move(queue_.front());
        queue_.pop_front();
        query->stage_ = HostQuery::Stage::Running;
        --idle_;
        ++waitedFor_;
        lock.unlock();
        HostAnswer result = resolve(*query->resolver_, query->name_);
        lock.lock();
        ++idle_;
        if (query->asker_ != nullptr) {
            --waitedFor_;
            answer(*query, std::move(result));
        }
        lock.unlock();
        query.reset(); // with a resolver, perhaps, of which this was the last use
        lock.lock();
    }
    --threads_;
    --idle_;
}

/// Tells who asked. Called with the lock held: who asked forgets under it before it dies.
void ResolverPool::answer(HostQuery& query, HostAnswer answer) noexcept {
    query.answer_ = std::move(answer);
    query.stage_ = HostQuery::Stage::Answered;
    query.hasAnswer_.notify_all();
    query.telling_->query = query.shared_from_this();
    query.asker_->post(std::move(query.telling_));
}

bool ResolverPool::wait(HostQuery& query, std::optional<Clock::time_point> until) {
    constexpr std::chrono::hours atOnce{24}; // what is added to the present time in there must have room
    std::unique_lock lock(mutex_);
    const auto isThere = [&query] { return query.stage_ == HostQuery::Stage::Answered; };
    if (!until)
        query.hasAnswer_.wait(lock, isThere);
    else
        while (!query.hasAnswer_.wait_for(lock, std::min<std::chrono::nanoseconds>(WaitClock::left(*until), atOnce),
                                          isThere))
            if (WaitClock::isOver(*until))
                return false;
    return true;
}

HostAnswer ResolverPool::take(HostQuery& query) {
    const std::lock_guard lock(mutex_);
    return std::move(query.answer_);
}

void ResolverPool::forget(HostQuery& query) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(query.asker_, nullptr) == nullptr || query.stage_ == HostQuery::Stage::Answered)
        return;
    if (query.stage_ == HostQuery::Stage::Running)
        --waitedFor_;
    else
        std::erase_if(queue_, [&query](const auto& each) { return each.get() == &query; });
    provideThreads();
}

} // namespace halyard
