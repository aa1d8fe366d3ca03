#include <halyard/signals/pooled.h>

#include "cells.h"

#include <cstddef>
#include <new>

namespace halyard::detail {

namespace {

template <std::size_t size>
struct Block {
    union {
        Block* next;
        alignas(std::max_align_t) std::byte bytes[size];
    };
};

using Small = Block<64>;
using Large = Block<128>;
template <class Cell>
using Pool = CellPool<Cell, &Cell::next>;

} // namespace

// The one that goes with it is told the size.
void* Pooled::operator new(std::size_t size) { // NOLINT(misc-new-delete-overloads,cert-dcl54-cpp)
    if (size <= sizeof(Small))
        return &Pool<Small>::take();
    if (size <= sizeof(Large))
        return &Pool<Large>::take();
    return ::operator new(size);
}

void* Pooled::operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void Pooled::operator delete(void* memory, std::size_t size) noexcept {
    if (size <= sizeof(Small))
        Pool<Small>::giveBack(*static_cast<Small*>(memory));
    else if (size <= sizeof(Large))
        Pool<Large>::giveBack(*static_cast<Large*>(memory));
    else
        ::operator delete(memory);
}

void* Pooled::operator new(std::size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }

void Pooled::operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
    ::operator delete(memory, alignment);
}

} // namespace halyard::detail
