#pragma once

#include "dice.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace soak {

/// Bytes that a key and their place determine, so that one that is lost, doubled or moved shows.
class ByteStream {
  public:
    explicit ByteStream(std::uint64_t key) noexcept : key_(key) {}

    std::uint64_t position() const noexcept { return position_; }

    std::string next(std::size_t size) {
        std::string bytes(size, '\0');
        walk(size, [&](std::size_t at, const char* word, std::size_t count) {
            std::memcpy(bytes.data() + at, word, count);
            return true;
        });
        return bytes;
    }

    /// Whether these are the next ones.
    bool expects(std::string_view bytes) {
        return walk(bytes.size(), [&](std::size_t at, const char* word, std::size_t count) {
            return std::memcmp(bytes.data() + at, word, count) == 0;
        });
    }

  private:
    /// The next bytes, piece by piece; false where `take` gave false.
    template <class Take>
    bool walk(std::size_t size, Take take) {
        for (std::size_t at = 0; at != size;) {
            const std::uint64_t number = mixed(key_ + position_ / sizeof key_);
            char word[sizeof number];
            std::memcpy(word, &number, sizeof number);
            const auto first = static_cast<std::size_t>(position_ % sizeof number);
            const std::size_t count = std::min(size - at, sizeof number - first);
            if (!take(at, word + first, count))
                return false;
            at += count;
            position_ += count;
        }
        return true;
    }

    std::uint64_t key_;
    std::uint64_t position_ = 0;
};

} // namespace soak
