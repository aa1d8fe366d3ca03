#pragma once

#include "demand.h"

#include <cstdint>
#include <string_view>

namespace halyard::fuzz {

/// What slots throw.
struct Thrown {};

/// An input as a program. What it does stands at the front, what its slots do at the back: so neither moves the other.
class Script {
  public:
    explicit Script(std::string_view bytes) noexcept : bytes_(bytes) {}

    bool isOver() const noexcept { return bytes_.empty(); }
    std::uint8_t next() noexcept { return depth_ == 0 ? fromFront() : fromBack(); }
    /// What a slot answers.
    bool says() noexcept { return (fromBack() & 1U) != 0; }

    /// In a slot: often nothing, else `something`.
    template <class Something>
    void act(Something something) {
        if (depth_ == 3 || !says())
            return;
        const Inside slot(depth_);
        something();
    }

    /// Destructors emit: what leaves their slots would end the program.
    template <class Action>
    void withoutThrowing(Action action) {
        const Inside peace(noThrow_);
        action();
    }

    /// Only in slots, where it may be.
    void throwIfAllowed() const {
        if (depth_ != 0 && noThrow_ == 0)
            throw Thrown();
    }

  private:
    std::uint8_t fromFront() noexcept {
        if (bytes_.empty())
            return 0;
        const char byte = bytes_.front();
        bytes_.remove_prefix(1);
        return static_cast<std::uint8_t>(byte);
    }

    std::uint8_t fromBack() noexcept {
        if (bytes_.empty())
            return 0;
        const char byte = bytes_.back();
        bytes_.remove_suffix(1);
        return static_cast<std::uint8_t>(byte);
    }

    std::string_view bytes_;
    int depth_ = 0; ///< of slots that do something
    int noThrow_ = 0;
};

} // namespace halyard::fuzz
