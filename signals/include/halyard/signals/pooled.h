#pragma once

#include <halyard/signals/export.h>

#include <cstddef>
#include <new>

namespace halyard::detail {

/// What comes and goes by the million, made on one thread and gone on another: its memory is kept, and travels between
/// threads by many at once. What does not fit, or wants more alignment than any basic type, is the heap's.
struct HALYARD_API Pooled {
    static void* operator new(std::size_t size); // NOLINT(misc-new-delete-overloads,cert-dcl54-cpp): it has one below
    static void* operator new(std::size_t size, std::align_val_t alignment);
    static void* operator new(std::size_t size, const std::nothrow_t&) noexcept;
    static void operator delete(void* memory, std::size_t size) noexcept;
    static void operator delete(void* memory, std::size_t size, std::align_val_t alignment) noexcept;
};

} // namespace halyard::detail
