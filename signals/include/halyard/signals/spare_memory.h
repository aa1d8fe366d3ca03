#pragma once

#include <halyard/signals/export.h>
#include <halyard/signals/sanitizers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

/// Memory that what comes and goes by the thousand has left, kept for the next ones.
namespace halyard {

namespace detail {

/// Blocks of one kind that nobody uses. A pile of pointers: no block is touched before it is used, as it may still be
/// in the cache of the processor that used it last.
struct SparePile {
    static constexpr std::uint32_t most = 62;

    constexpr explicit SparePile(std::uint32_t upTo) noexcept : room(upTo) {}

    SparePile* next = nullptr; ///< for whoever keeps several
    std::uint32_t count = 0;
    const std::uint32_t room; ///< for so many in all
    void* blocks[most] = {};

    bool isEmpty() const noexcept { return count == 0; }
    bool isFull() const noexcept { return count == room; }
    void put(void* block) noexcept { blocks[count++] = block; }
    void* take() noexcept { return blocks[--count]; }
};
constinit inline SparePile noPile(0); ///< empty and full

/// The pile of a thread. A Kind tells where blocks come from when it is empty, and where they go when it is full:
///
///     static constexpr std::uint32_t room;                   // how many a pile may have
///     static SparePile* begin() noexcept;                    // an empty one for a thread; null: there is no memory
///     static void* fetch(SparePile*& pile);                  // a block; the pile may become another one, or be filled
///     static void send(SparePile*& pile, void* block) noexcept;
///     static void end(SparePile* pile) noexcept;             // with the thread; it may be noPile
template <class Kind>
class SpareBlocks {
  public:
    static void* take() { return !pile->isEmpty() ? pile->take() : fetch(); }
    static void giveBack(void* block) noexcept { !pile->isFull() ? pile->put(block) : send(block); }

  private:
    struct EndWithThread {
        ~EndWithThread() {
            hasEnded = true; // what comes back from now on is nobody's to keep
            Kind::end(std::exchange(pile, &noPile));
        }
    };
    static void prepare() noexcept {
        static thread_local const EndWithThread janitor;
        if (pile == &noPile && !hasEnded)
            if (auto* const made = Kind::begin())
                pile = made;
    }
    [[gnu::noinline]] static void* fetch() {
        prepare();
        return Kind::fetch(pile);
    }
    [[gnu::noinline]] static void send(void* block) noexcept {
        prepare();
        Kind::send(pile, block);
    }

    // Both trivial, so that even what a thread deletes last of all may look here.
    static constinit inline thread_local SparePile* pile = &noPile;
    static constinit inline thread_local bool hasEnded = false;
};

/// Blocks of the heap, of which a thread keeps 64 KiB at most.
template <std::size_t size>
struct HeapBlocks {
    static constexpr std::uint32_t room = std::min<std::size_t>(std::size_t{64} * 1024 / size, SparePile::most);

    static SparePile* begin() noexcept { return new (std::nothrow) SparePile(room); }
    static void* fetch(SparePile*&) { return ::operator new(size); }
    static void send(SparePile*& pile, void* block) noexcept {
        if (pile->isFull())
            ::operator delete(block);
        else
            pile->put(block);
    }
    static void end(SparePile* pile) noexcept {
        if (pile == &noPile)
            return;
        while (!pile->isEmpty())
            ::operator delete(pile->take());
        delete pile;
    }
};

/// The base of what is made on one thread and gone on another, by the million: its memory is never given back, and
/// travels between threads by many at once. What is large, or wants more alignment than any basic type, is the heap's.
struct HALYARD_API Pooled {
    static void* operator new(std::size_t size); // NOLINT(misc-new-delete-overloads,cert-dcl54-cpp): it has one below
    static void* operator new(std::size_t size, std::align_val_t alignment);
    static void* operator new(std::size_t size, const std::nothrow_t&) noexcept;
    static void operator delete(void* memory, std::size_t size) noexcept;
    static void operator delete(void* memory, std::size_t size, std::align_val_t alignment) noexcept;
};

} // namespace detail

/// The base of classes whose objects come and go by the thousand: each thread keeps the memory that some of them have
/// left, 64 KiB at most, and the next ones take it. A server's connection costs 800 instructions less by it.
///
///     class Session final : public SpareMemory<Session> { ... };
///
/// Objects of derived classes that are larger have their memory from the heap, and so have all where AddressSanitizer
/// looks for the use of memory that was given back.
template <class T>
class SpareMemory {
  public:
    // The one that goes with it is told the size.
    /// Memory that was given back, where there is some.
    static void* operator new(std::size_t size) { // NOLINT(misc-new-delete-overloads,cert-dcl54-cpp)
        return isSpare(size) ? Blocks<T>::take() : ::operator new(size);
    }
    /// Keeps the memory, where there is room.
    static void operator delete(void* memory, std::size_t size) noexcept {
        isSpare(size) ? Blocks<T>::giveBack(memory) : ::operator delete(memory);
    }

  protected:
    SpareMemory() = default;
    ~SpareMemory() = default;

  private:
    template <class Complete>
    using Blocks = detail::SpareBlocks<detail::HeapBlocks<sizeof(Complete)>>;

    static constexpr bool isSpare([[maybe_unused]] std::size_t size) noexcept {
#ifdef HALYARD_ADDRESS_SANITIZER
        return false;
#else
        return size == sizeof(T);
#endif
    }
};

} // namespace halyard
