#include <halyard/signals/spare_memory.h>

#include "shared_blocks.h"

#include <halyard/signals/sanitizers.h>

#include <cstddef>
#include <new>

namespace halyard::detail {

namespace {

template <std::size_t size>
struct Block {
    alignas(std::max_align_t) std::byte bytes[size];
};
template <std::size_t size>
using Blocks = SpareBlocks<SharedBlocks<Block<size>>>;

#ifdef HALYARD_ADDRESS_SANITIZER
constexpr bool isSpare = false; // it looks for the use of memory that was given back
#else
constexpr bool isSpare = true;
#endif

constexpr std::size_t small = 32;
constexpr std::size_t medium = 64;
constexpr std::size_t large = 128;

} // namespace

// The one that goes with it is told the size.
void* Pooled::operator new(std::size_t size) { // NOLINT(misc-new-delete-overloads,cert-dcl54-cpp)
    if (size > large || !isSpare)
        return ::operator new(size);
    return size <= small ? Blocks<small>::take() : size <= medium ? Blocks<medium>::take() : Blocks<large>::take();
}

void* Pooled::operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void Pooled::operator delete(void* memory, std::size_t size) noexcept {
    if (size > large || !isSpare)
        ::operator delete(memory);
    else
        size <= small    ? Blocks<small>::giveBack(memory)
        : size <= medium ? Blocks<medium>::giveBack(memory)
                         : Blocks<large>::giveBack(memory);
}

void* Pooled::operator new(std::size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }

void Pooled::operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
    ::operator delete(memory, alignment);
}

} // namespace halyard::detail
