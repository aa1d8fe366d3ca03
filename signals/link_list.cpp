#include <halyard/signals/link.h>

#include <halyard/signals/emission.h>
#include <halyard/signals/signal.h>

#include "shared_blocks.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <utility>

namespace halyard::detail {

namespace {

constexpr std::uint32_t fewOnHeap = 3;
constexpr std::uint32_t fewEnded = 8; ///< that walks go past rather than that memory is asked for

/// 32, 64, 128 ...: those that a Pooled has at hand.
constexpr std::size_t bytesOf(std::uint32_t capacity) { return sizeof(LinkList::Array) + capacity * sizeof(Link*); }

} // namespace

/// What walks may still be at, though the list has it no more: an array, and links that ended while it was in use.
struct LinkList::Outdated {
    Outdated* older;
    Array* array;
    std::uint32_t capacity;
    std::uint32_t count = 0; ///< of the links
    bool isAwaited = false;  ///< by all the walks that may be at it

    Link** links() noexcept { return reinterpret_cast<Link**>(this + 1); }

    static std::unique_ptr<Outdated> make(Array& array, std::uint32_t capacity, std::uint32_t room) {
        void* const memory = Pooled::operator new(bytesFor(room));
        return std::unique_ptr<Outdated>(::new (memory) Outdated{array.outdated, &array, capacity, room});
    }
    static void operator delete(Outdated* it, std::destroying_delete_t /*tag*/) noexcept {
        Pooled::operator delete(it, bytesFor(it->count));
    }

  private:
    static std::size_t bytesFor(std::uint32_t count) noexcept { return sizeof(Outdated) + count * sizeof(Link*); }
};

LinkList& LinkList::allocate() {
    LinkList& list = ListCells::take();
    list.size = list.ended = 0;
    list.relays = nullptr;
    list.capacity = few;
    list.links = list.own;
    return list;
}

void LinkList::release() noexcept {
    state.begin(Affinity::noId);
    if (Array* const its = array())
        freeArray(its, capacity);
    ListCells::giveBack(*this);
}

LinkList::Array* LinkList::makeArray(std::uint32_t capacity) {
    // cppcheck-suppress legacyUninitvar ; it loses sight of the placement
    return ::new (Pooled::operator new(bytesOf(capacity))) Array{nullptr};
}

void LinkList::freeArray(Array* array, std::uint32_t capacity) noexcept {
    Pooled::operator delete(array, bytesOf(capacity));
}

void LinkList::makeRoom(bool isWalked) {
    if (size < capacity)
        return;
    const std::uint32_t wider = links == own ? fewOnHeap : 2 * capacity + 1;
    Array* const narrow = array();
    std::unique_ptr<Outdated> walked;
    if (isWalked && narrow != nullptr)
        walked = Outdated::make(*narrow, capacity, 0);
    Array* const wide = makeArray(wider);
    std::copy_n(links, size, wide->links());
    if (isWalked) {
        wide->outdated = walked.release();
        set(Untidy);
    } else if (narrow != nullptr) {
        freeArray(narrow, capacity);
    }
    links = wide->links();
    capacity = wider;
}

void LinkList::append(Link& link) noexcept {
    link.holder.store(reinterpret_cast<std::uintptr_t>(this) | Link::inList, std::memory_order_relaxed);
    links[size++] = &link;
}

void LinkList::lose(Link& link, const Exclusive& right, Graves& graves) noexcept {
    ++ended;
    // Squeezing only when half of it is dead makes a disconnect cost a constant, and keeps the order. The functor goes
    // at once all the same.
    if (ended * 2 > size || Running::isWalked(this, state, right))
        return settle(right, graves);
    set(Untidy);
    if (links[size - 1] == &link)
        forget(link, right, graves);
    else
        link.releaseIfUnused(right, graves);
}

void LinkList::settle(const Exclusive& right, Graves& graves) noexcept {
    set(Untidy);
    if (!Running::isWalked(this, state, right))
        tidy(right, graves);
    else if (ended > fewEnded && ended * 2 > size && signal != nullptr)
        leaveEndedBehind();
}

void LinkList::forget(Link& last, const Exclusive& right, Graves& graves) noexcept {
    const auto forgetOne = [&](Link& link) {
        --size;
        --ended;
        drop(link, right, graves);
    };
    forgetOne(last);
    while (size != 0 && links[size - 1]->has(Ended))
        forgetOne(*links[size - 1]);
}

void LinkList::drop(Link& link, const Exclusive& right, Graves& graves) noexcept {
    link.holder.store(0, std::memory_order_relaxed);
    link.state.guardBy(state.guard());
    link.releaseIfUnused(right, graves);
}

void LinkList::tidy(const Exclusive& right, Graves& graves) noexcept {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i != size; ++i) {
        Link& each = *links[i];
        if (each.has(Ended))
            drop(each, right, graves);
        else
            links[kept++] = &each;
    }
    size = kept;
    ended = 0;
    set(Untidy, false);
    if (Array* const its = array())
        free(std::exchange(its->outdated, nullptr), right, graves);
    if (signal == nullptr || (size == 0 && relays == nullptr)) {
        if (signal != nullptr)
            signal->word_.store(reinterpret_cast<std::uintptr_t>(owner), std::memory_order_release);
        release();
    }
}

/// A new array for those that have not ended, while walks are on this one: those that begin from now on are spared the
/// others.
void LinkList::leaveEndedBehind() noexcept {
    Array* const walked = array();
    if (walked == nullptr)
        return;
    const std::uint32_t living = size - ended;
    std::uint32_t room = fewOnHeap;
    while (room < living)
        room = 2 * room + 1;
    try {
        std::unique_ptr<Outdated> left = Outdated::make(*walked, capacity, ended);
        Array* const its = makeArray(room);
        std::partition_copy(links, links + size, left->links(), its->links(),
                            [](const Link* each) { return each->has(Ended); });
        its->outdated = left.release();
        links = its->links();
        size = living;
        ended = 0;
        capacity = room;
    } catch (const std::bad_alloc&) { // so walks go past them a little longer
    }
}

void LinkList::freeOutdated(const Exclusive& right, Graves& graves) noexcept {
    if (array() == nullptr || array()->outdated == nullptr)
        return;
    bool isWaiting = false;
    Running::forEachWalk(this, right, [&](const Running& walk) { isWaiting = isWaiting || walk.isAwaited; });
    if (isWaiting)
        return;
    Outdated** first = &array()->outdated;
    while (*first != nullptr && !(*first)->isAwaited)
        first = &(*first)->older;
    free(std::exchange(*first, nullptr), right, graves);
    if (array()->outdated == nullptr)
        return;
    for (Outdated* each = array()->outdated; each != nullptr; each = each->older)
        each->isAwaited = true;
    Running::forEachWalk(this, right, [](Running& walk) { walk.isAwaited = true; });
}

void LinkList::free(Outdated* latest, const Exclusive& right, Graves& graves) noexcept {
    while (latest != nullptr) {
        const std::unique_ptr<Outdated> each(std::exchange(latest, latest->older));
        std::for_each_n(each->links(), each->count, [&](Link* link) { drop(*link, right, graves); });
        freeArray(each->array, each->capacity);
    }
}

} // namespace halyard::detail
