#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace echo {

/// Compares what comes back with what was sent, and keeps only what is on its way between the two.
class EchoCheck {
  public:
    void sent(std::string_view bytes);

    /// How many of `bytes`, from their beginning, are what was sent; fewer than all when the echo is wrong.
    std::size_t cameBack(std::string_view bytes);

    std::size_t onTheWay() const noexcept { return kept_.size() - begin_; }
    std::uint64_t bytesSent() const noexcept { return matched_ + onTheWay(); }
    std::uint64_t bytesMatched() const noexcept { return matched_; }

  private:
    std::string kept_;
    std::size_t begin_ = 0; ///< what stands before it has come back
    std::uint64_t matched_ = 0;
};

} // namespace echo
