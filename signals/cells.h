#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace halyard::detail {

/// Cells that are never given back to the system, so that a handle may look into a cell whose life ended long ago.
/// Each thread keeps a few free ones; what is too many for it goes to all.
template <class Cell, Cell* Cell::*next>
class CellPool {
  public:
    static Cell& take() {
        if (cache.free == nullptr)
            refill();
        Cell& cell = *cache.free;
        cache.free = cell.*next;
        --cache.count;
        return cell;
    }

    static void giveBack(Cell& cell) noexcept {
        cell.*next = cache.free;
        cache.free = &cell;
        if (++cache.count > 2 * chunkCells || cache.closed)
            share(chunkCells);
    }

  private:
    static constexpr std::size_t chunkCells = 64;

    struct Shared {
        std::mutex mutex;
        std::vector<std::unique_ptr<Cell[]>> chunks;
        Cell* free = nullptr;
    };
    static Shared& shared() {
        static auto* pool = new Shared; // outlives every static object that may still disconnect
        return *pool;
    }

    /// Trivial, so that even an object that dies after its thread's other variables may still disconnect.
    struct Cache {
        Cell* free;
        std::size_t count;
        bool closed; ///< the thread is ending: what comes now goes to all
    };
    static constinit inline thread_local Cache cache{};

    struct ShareAtThreadEnd {
        ~ShareAtThreadEnd() {
            cache.closed = true;
            share(cache.count);
        }
    };

    static void share(std::size_t howMany) noexcept {
        Shared& pool = shared();
        const std::lock_guard lock(pool.mutex);
        for (; howMany != 0 && cache.free != nullptr; --howMany, --cache.count) {
            Cell* const cell = cache.free;
            cache.free = cell->*next;
            cell->*next = pool.free;
            pool.free = cell;
        }
    }

    static void refill() {
        static thread_local const ShareAtThreadEnd janitor;
        Shared& pool = shared();
        const std::lock_guard lock(pool.mutex);
        if (pool.free == nullptr) {
            pool.chunks.push_back(std::make_unique<Cell[]>(chunkCells));
            for (std::size_t i = chunkCells; i-- != 0;) {
                Cell& cell = pool.chunks.back()[i];
                cell.*next = pool.free;
                pool.free = &cell;
            }
        }
        for (; pool.free != nullptr && cache.count != chunkCells; ++cache.count) {
            Cell* const cell = pool.free;
            pool.free = cell->*next;
            cell->*next = cache.free;
            cache.free = cell;
        }
    }
};

} // namespace halyard::detail
