#include <halyard/signals/link.h>

#include <halyard/signals/signal.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace halyard::detail {

namespace {

// Links live in cells that are never given back to the system, so that a handle may look at the generation of a cell
// whose connection ended long ago. Each thread keeps a few free ones; what is too many for it goes to all.
constexpr std::size_t chunkCells = 64;

struct CellPool {
    std::mutex mutex;
    std::vector<std::unique_ptr<Link[]>> chunks;
    Link* free = nullptr;
};

CellPool& sharedCells() {
    static auto* pool = new CellPool; // outlives every static object that may still disconnect
    return *pool;
}

/// Trivial, so that even an object that dies after its thread's other variables may still disconnect.
struct CellCache {
    Link* free;
    std::size_t count;
    bool closed; ///< the thread is ending: what comes now goes to all
};
constinit thread_local CellCache cells{};

void giveBack(std::size_t howMany) noexcept {
    CellPool& pool = sharedCells();
    const std::lock_guard lock(pool.mutex);
    for (; howMany != 0 && cells.free != nullptr; --howMany, --cells.count) {
        Link* const cell = cells.free;
        cells.free = cell->next;
        cell->next = pool.free;
        pool.free = cell;
    }
}

struct GiveBackAtThreadEnd {
    ~GiveBackAtThreadEnd() {
        cells.closed = true;
        giveBack(cells.count);
    }
};

void refill() {
    static thread_local const GiveBackAtThreadEnd janitor;
    CellPool& pool = sharedCells();
    const std::lock_guard lock(pool.mutex);
    if (pool.free == nullptr) {
        pool.chunks.push_back(std::make_unique<Link[]>(chunkCells));
        for (std::size_t i = chunkCells; i-- != 0;) {
            Link& cell = pool.chunks.back()[i];
            cell.next = pool.free;
            pool.free = &cell;
        }
    }
    for (; pool.free != nullptr && cells.count != chunkCells; ++cells.count) {
        Link* const cell = pool.free;
        pool.free = cell->next;
        cell->next = cells.free;
        cells.free = cell;
    }
}

MisuseHandler misuseHandler = [](const char* sentence) { std::fprintf(stderr, "halyard: %s\n", sentence); };

} // namespace

void setMisuseHandler(MisuseHandler handler) noexcept { misuseHandler = handler; }
void reportMisuse(const char* sentence) { misuseHandler(sentence); }

Link& Link::allocate() {
    if (cells.free == nullptr)
        refill();
    Link& link = *cells.free;
    cells.free = link.next;
    --cells.count;
    link.flags = 0;
    link.ops = nullptr;
    link.next = nullptr;
    return link;
}

void Link::releaseIfUnused() noexcept {
    if (isInUse())
        return;
    leaveRing();
    destroySlot(); // nobody can find this link any more, whatever the functor's destructor does
    next = cells.free;
    cells.free = this;
    if (++cells.count > 2 * chunkCells || cells.closed)
        giveBack(chunkCells);
}

void Link::destroySlot() noexcept {
    const SlotOps* const table = std::exchange(ops, nullptr);
    if (table == nullptr || table->drop == nullptr)
        return;
    void* functor = nullptr;
    std::memcpy(&functor, slot, sizeof functor);
    table->drop(functor);
}

void Link::enterRing(Link*& first) noexcept {
    next = first;
    previous = &first;
    if (next != nullptr)
        next->previous = &next;
    first = this;
}

void Link::leaveRing() noexcept {
    if (previous == nullptr)
        return;
    *previous = next;
    if (next != nullptr)
        next->previous = previous;
    previous = nullptr;
    next = nullptr;
}

void Link::end(bool revoke) noexcept {
    ++generation;
    signal = nullptr;
    set(Ended);
    chooseCall();
    if (revoke)
        set(Revoked);
    // Calls on their way outlive the signal, but not the receiver: it must still find them.
    if (revoke || queued == 0)
        leaveRing();
}

void Link::disconnect() noexcept {
    SignalBase& its = *signal;
    end(true);
    its.lose(*this);
}

void LinkRing::endAll(Link*& first) noexcept {
    // Before the first functor is destroyed, whose destructor may emit: none of them may be called any more.
    for (Link* each = first; each != nullptr; each = each->next) {
        each->set(Link::Blocked);
        each->set(Link::Revoked);
        each->chooseCall();
    }
    while (first != nullptr) {
        Link& link = *first;
        if (link.signal != nullptr) {
            link.disconnect();
        } else {
            link.leaveRing();
        }
    }
}

void LinkList::append(Link& link) {
    if (size == capacity) {
        const std::uint32_t wider = capacity == 0 ? 4 : capacity + capacity / 2;
        auto array = std::make_unique_for_overwrite<Link*[]>(wider);
        std::copy_n(links.get(), size, array.get());
        if (depth != 0) {
            outgrown.push_back(std::move(links));
            untidy = true;
        }
        links = std::move(array);
        capacity = wider;
    }
    link.index = size;
    link.set(Link::InList);
    links[size++] = &link;
}

void LinkList::forget(Link& last) noexcept {
    --size;
    --ended;
    for (; size != 0 && links[size - 1]->has(Link::Ended); --size, --ended) {
        links[size - 1]->set(Link::Orphan);
        links[size - 1]->releaseIfUnused(); // its functor has gone already
    }
    last.set(Link::Orphan);
    last.releaseIfUnused();
}

void LinkList::tidy() noexcept {
    Link* gone = nullptr;
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i != size; ++i) {
        Link& each = *links[i];
        if (each.has(Link::Ended)) {
            each.nextGone = gone;
            gone = &each;
        } else {
            each.index = kept;
            links[kept++] = &each;
        }
    }
    size = kept;
    ended = 0;
    untidy = false;
    outgrown.clear();
    if (signal == nullptr || (size == 0 && relays == nullptr)) {
        if (signal != nullptr)
            signal->word_ = reinterpret_cast<std::uintptr_t>(owner);
        delete this;
    }
    // From here on only what is in hand: a functor's destructor may do anything.
    while (gone != nullptr) {
        Link& each = *gone;
        gone = each.nextGone;
        each.set(Link::Orphan);
        each.releaseIfUnused();
    }
}

} // namespace halyard::detail
