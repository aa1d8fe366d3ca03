#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace halyard {

/// A pipe(2): the way from one connection to another on which bytes do not leave the kernel (splice(2)).
class Pipe {
  public:
    /// For about so many bytes; null where none is to be had.
    static std::shared_ptr<Pipe> make(std::size_t capacity);

    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe();

    int readEnd() const noexcept { return ends_[0]; }
    int writeEnd() const noexcept { return ends_[1]; }
    std::size_t size() const noexcept { return size_; } ///< How many bytes are in it.
    void filled(std::size_t bytes) noexcept {
        size_ += bytes;
        news_ += bytes;
    }
    void drained(std::size_t bytes) noexcept { size_ -= bytes; }
    std::size_t takeNews() noexcept { return std::exchange(news_, 0); } ///< How many have come since this was asked.

  private:
    Pipe() noexcept = default;

    int ends_[2]{-1, -1};
    std::size_t size_ = 0;
    std::size_t news_ = 0;
};

} // namespace halyard
