#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace halyard::fuzz {

/// What must hold, whatever the input is.
inline void demand(bool isSo) {
    if (!isSo)
        __builtin_trap();
}

/// One more on the stack, until the scope ends in any way.
class Inside {
  public:
    explicit Inside(int& depth) noexcept : depth_(depth) { ++depth_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { --depth_; }

  private:
    int& depth_;
};

inline std::string_view textOf(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Cuts off what stands before the next line end, which is cut off too.
inline std::string_view cutLine(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
}

inline bool isPrintable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

} // namespace halyard::fuzz
