#pragma once

#include <halyard/core/deadline.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halyard {

/// The armed deadlines of a loop, the next one first: a heap of four children a node, whose deadlines know their
/// places. Equal ones come in the order in which they were put in.
class DeadlineHeap {
  public:
    bool empty() const noexcept { return nodes_.empty(); }
    Deadline& first() const noexcept { return *nodes_.front().deadline; }

    void put(Deadline& deadline); ///< Or moves it to where its time belongs.
    void remove(Deadline& deadline) noexcept;

  private:
    struct Node {
        Deadline::Clock::time_point when;
        std::uint64_t order;
        Deadline* deadline;

        bool isBefore(const Node& other) const noexcept {
            return when != other.when ? when < other.when : order < other.order;
        }
    };

    void set(std::size_t place, const Node& node) noexcept;
    void settle(std::size_t place, const Node& node) noexcept;

    std::vector<Node> nodes_;
    std::uint64_t puts_ = 0;
};

} // namespace halyard
