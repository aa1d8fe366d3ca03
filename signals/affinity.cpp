#include <halyard/signals/affinity.h>

#include <exception>
#include <mutex>
#include <thread>

#include <pthread.h>
#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace halyard::detail {

namespace {

constinit Affinity nobody;

} // namespace

constinit thread_local Affinity* currentAffinity = &nobody;

namespace {

/// Makes every thread that runs pass a full memory barrier. False where the system has none to offer.
bool registerBarrier() noexcept {
#ifdef __linux__
    return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
#else
    return false;
#endif
}

void passBarrierEverywhere() noexcept {
#ifdef __linux__
    ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
#endif
}

} // namespace

/// All threads' records, and the lock that stops the world.
struct AffinityRecords {
    std::mutex mutex;
    Affinity* all = nullptr;
    Affinity* free = nullptr;
    std::uint32_t count = 0;
    const bool hasBarrier = registerBarrier();
    pthread_key_t key{};

    static AffinityRecords& get() {
        static auto* records = new AffinityRecords; // outlives every static object that may still emit
        return *records;
    }

    AffinityRecords() {
        // Runs after the thread's own variables are gone, unlike the destructor of one of them.
        pthread_key_create(&key, [](void* record) { get().end(*static_cast<Affinity*>(record)); });
    }

    Affinity& take() {
        const std::lock_guard lock(mutex);
        Affinity* record = free;
        if (record != nullptr) {
            free = record->nextFree_;
            record->ended_ = false;
        } else {
            record = new Affinity;
            record->mustWait = !hasBarrier; // every Section takes the lock instead
            record->id = ++count * (Affinity::belowId + 1);
            if (record->id == Affinity::noId)
                std::terminate(); // half a million threads: as if there were no memory for the record
            record->next_ = all;
            all = record;
        }
        pthread_setspecific(key, record);
        return *record;
    }

    void end(Affinity& record) noexcept {
        const std::lock_guard lock(mutex);
        currentAffinity = &nobody;
        record.ended_ = true;
        reuseIfEmpty(record);
    }

    /// The lock is held, and the thread has ended.
    void reuseIfEmpty(Affinity& record) noexcept {
        if (record.residents_ + record.residentsOfOthers_.load() != 0)
            return;
        record.residents_ = 0;
        record.residentsOfOthers_ = 0;
        record.ended_ = false; // so that nobody frees it twice
        record.nextFree_ = free;
        free = &record;
    }
};

Affinity& Affinity::make() noexcept {
    currentAffinity = &AffinityRecords::get().take();
    return *currentAffinity;
}

void Affinity::leave() noexcept {
    if (isThis()) {
        --residents_;
        return;
    }
    residentsOfOthers_.fetch_sub(1);
    if (!ended_)
        return;
    AffinityRecords& records = AffinityRecords::get();
    const std::lock_guard lock(records.mutex);
    if (ended_)
        records.reuseIfEmpty(*this);
}

bool Section::takeLock(Affinity& me) noexcept {
    me.inSection.store(false, std::memory_order_release);
    AffinityRecords::get().mutex.lock();
    return true;
}

void Section::returnLock() noexcept { AffinityRecords::get().mutex.unlock(); }

void StoppedWorld::begin() noexcept {
    AffinityRecords& records = AffinityRecords::get();
    records.mutex.lock();
    if (!records.hasBarrier)
        return; // nobody is in a Section without the lock
    forEach([](Affinity& each) { each.mustWait.store(true, std::memory_order_relaxed); });
    passBarrierEverywhere();
    // Who was in a Section before is waited for; who comes after sees that the world stops.
    for (const Affinity* each = records.all; each != nullptr; each = each->next_)
        while (each->inSection.load(std::memory_order_acquire))
            std::this_thread::yield();
}

void StoppedWorld::end() noexcept {
    AffinityRecords& records = AffinityRecords::get();
    if (records.hasBarrier)
        forEach([](Affinity& each) { each.mustWait.store(false, std::memory_order_release); });
    records.mutex.unlock();
}

Affinity* StoppedWorld::first() noexcept { return AffinityRecords::get().all; }

} // namespace halyard::detail
