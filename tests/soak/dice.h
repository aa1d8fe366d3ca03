#pragma once

#include <cstddef>
#include <cstdint>

namespace soak {

/// Turns a number into one that looks random (the finalizer of SplitMix64).
constexpr std::uint64_t mixed(std::uint64_t number) noexcept {
    number += 0x9e3779b97f4a7c15U;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
    return number ^ (number >> 31);
}

/// What chance decides, the same for the same seed.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) noexcept : state_(mixed(seed)) {}

    std::uint64_t number() noexcept { return mixed(state_++); }
    std::size_t below(std::size_t end) noexcept { return static_cast<std::size_t>(number() % end); }
    std::size_t between(std::size_t least, std::size_t most) noexcept { return least + below(most - least + 1); }
    bool oneIn(std::size_t count) noexcept { return below(count) == 0; }

  private:
    std::uint64_t state_;
};

} // namespace soak
