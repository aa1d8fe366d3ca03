#pragma once

#include <halyard/signals/link.h>
#include <halyard/signals/spare_memory.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace halyard::detail {

/// Blocks that are never given back to the system. A thread has two piles of them, and exchanges full ones for empty
/// ones with the others.
template <class Cell>
class SharedBlocks {
  public:
    static constexpr std::uint32_t room = SparePile::most;

    /// One that a thread has left when it ended, where there is one: else threads that come and go would cost memory.
    static SparePile* begin() noexcept {
        Shared& all = shared();
        const std::lock_guard lock(all.mutex);
        return emptyPile(all);
    }

    static void* fetch(SparePile*& pile) {
        if (reserve != nullptr && !reserve->isEmpty()) {
            std::swap(pile, reserve);
            return pile->take();
        }
        Shared& all = shared();
        const std::lock_guard lock(all.mutex);
        if (all.full == nullptr)
            return make(all, pile);
        if (pile == &noPile) { // the thread has ended, or there was no memory for one
            void* const block = all.full->take();
            if (all.full->isEmpty())
                push(all.empty, pop(all.full));
            return block;
        }
        if (reserve == nullptr)
            reserve = pile;
        else
            push(all.empty, pile);
        pile = pop(all.full);
        return pile->take();
    }

    static void send(SparePile*& pile, void* block) noexcept {
        if (!pile->isFull())
            return pile->put(block); // its first one
        if (reserve != nullptr && reserve->isEmpty()) {
            std::swap(pile, reserve);
            return pile->put(block);
        }
        Shared& all = shared();
        const std::lock_guard lock(all.mutex);
        if (pile == &noPile) {
            if (all.full == nullptr || all.full->isFull())
                if (SparePile* const empty = emptyPile(all))
                    push(all.full, empty);
            if (all.full != nullptr && !all.full->isFull())
                all.full->put(block); // else it is lost: better that than to fail
            return;
        }
        SparePile* const empty = emptyPile(all);
        if (empty == nullptr)
            return;
        if (reserve != nullptr)
            push(all.full, reserve);
        reserve = std::exchange(pile, empty);
        pile->put(block);
    }

    static void end(SparePile* pile) noexcept {
        Shared& all = shared();
        const std::lock_guard lock(all.mutex);
        for (SparePile* each : {pile, std::exchange(reserve, nullptr)})
            if (each != nullptr && each != &noPile)
                push(each->isEmpty() ? all.empty : all.full, each);
    }

  private:
    static constexpr std::size_t chunkCells = 64;

    struct Shared {
        std::mutex mutex;
        std::vector<std::unique_ptr<Cell[]>> chunks;
        std::size_t cellsUsed = chunkCells; ///< of the last chunk
        SparePile* full = nullptr;          ///< or with some at least
        SparePile* empty = nullptr;
    };
    static Shared& shared() {
        // It outlives every static object that may still disconnect, and needs no memory that there may not be.
        alignas(Shared) static std::byte place[sizeof(Shared)];
        static auto* const all = new (place) Shared;
        return *all;
    }

    static void push(SparePile*& first, SparePile* pile) noexcept { pile->next = std::exchange(first, pile); }
    static SparePile* pop(SparePile*& first) noexcept { return std::exchange(first, first->next); }
    static SparePile* emptyPile(Shared& all) noexcept {
        return all.empty != nullptr ? pop(all.empty) : new (std::nothrow) SparePile(room);
    }

    /// New blocks, for the pile as well.
    static void* make(Shared& all, SparePile*& pile) {
        if (all.cellsUsed == chunkCells) {
            all.chunks.push_back(nullptr); // first, for it may throw
            try {
                all.chunks.back() = std::make_unique<Cell[]>(chunkCells);
            } catch (...) {
                all.chunks.pop_back();
                throw;
            }
            all.cellsUsed = 0;
        }
        Cell* const fresh = all.chunks.back().get();
        void* const block = &fresh[all.cellsUsed++];
        // The last one first, so that they are taken in the order of their addresses.
        const std::size_t end = std::min<std::size_t>(chunkCells, all.cellsUsed + pile->room);
        for (std::size_t i = end; i != all.cellsUsed; --i)
            pile->put(&fresh[i - 1]);
        all.cellsUsed = end;
        return block;
    }

    static constinit inline thread_local SparePile* reserve = nullptr;
};

/// Cells stay cells for ever, so that a handle may look into one whose life ended long ago.
template <class Cell>
struct CellPool {
    static Cell& take() { return *static_cast<Cell*>(SpareBlocks<SharedBlocks<Cell>>::take()); }
    static void giveBack(Cell& cell) noexcept { SpareBlocks<SharedBlocks<Cell>>::giveBack(&cell); }
};
using LinkCells = CellPool<Link>;
using ListCells = CellPool<LinkList>;

} // namespace halyard::detail
