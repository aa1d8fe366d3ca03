// The program's operator new, which may fail. It replaces the standard library's, as a program may
// ([new.delete.general]); the memory is malloc(3)'s, a sanitizer's too.
#include "interposed.h"

#ifdef __clang__
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HALYARD_SANITIZER_HAS_OPERATOR_NEW // and lets no program have its own: there no allocation fails
#endif
#endif

#include <cstdlib>
#include <new>

namespace halyard::testing {

void linkAllocation() noexcept {}

} // namespace halyard::testing

#ifndef HALYARD_SANITIZER_HAS_OPERATOR_NEW

namespace halyard::testing {

namespace {

void* allocate(std::size_t size, std::size_t alignment) noexcept {
    if (Interposed::judge(Call::Allocate).error != 0)
        return nullptr;
    if (size == 0)
        size = 1;
    if (alignment <= alignof(std::max_align_t))
        return std::malloc(size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocateOrThrow(std::size_t size, std::size_t alignment = 1) {
    if (void* const memory = allocate(size, alignment))
        return memory;
    throw std::bad_alloc();
}

constexpr std::size_t of(std::align_val_t alignment) noexcept { return static_cast<std::size_t>(alignment); }

} // namespace

} // namespace halyard::testing

using halyard::testing::allocate;
using halyard::testing::allocateOrThrow;
using halyard::testing::of;

void* operator new(std::size_t size) { return allocateOrThrow(size); }
void* operator new[](std::size_t size) { return allocateOrThrow(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) { return allocateOrThrow(size, of(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return allocateOrThrow(size, of(alignment)); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(size, of(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(size, of(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }

#endif
