#include "deadline_heap.h"

#include <algorithm>

namespace halyard {

void DeadlineHeap::set(std::size_t place, const Node& node) noexcept {
    nodes_[place] = node;
    node.deadline->heapPlace_ = static_cast<std::uint32_t>(place + 1);
}

/// Finds the place for a node that comes to `place`: up as long as it is before its parent, else down.
void DeadlineHeap::settle(std::size_t place, const Node& node) noexcept {
    while (place != 0 && node.isBefore(nodes_[(place - 1) / 4])) {
        set(place, nodes_[(place - 1) / 4]);
        place = (place - 1) / 4;
    }
    for (;;) {
        const std::size_t firstChild = place * 4 + 1;
        if (firstChild >= nodes_.size())
            break;
        std::size_t least = firstChild;
        for (std::size_t child = firstChild + 1; child < std::min(firstChild + 4, nodes_.size()); ++child)
            if (nodes_[child].isBefore(nodes_[least]))
                least = child;
        if (!nodes_[least].isBefore(node))
            break;
        set(place, nodes_[least]);
        place = least;
    }
    set(place, node);
}

void DeadlineHeap::put(Deadline& deadline) {
    const Node node{deadline.when_, ++puts_, &deadline};
    if (deadline.heapPlace_ == 0) {
        nodes_.push_back(node);
        deadline.heapPlace_ = static_cast<std::uint32_t>(nodes_.size());
    }
    settle(deadline.heapPlace_ - 1, node);
}

void DeadlineHeap::remove(Deadline& deadline) noexcept {
    if (deadline.heapPlace_ == 0)
        return;
    const std::size_t place = deadline.heapPlace_ - 1;
    deadline.heapPlace_ = 0;
    const Node last = nodes_.back();
    nodes_.pop_back();
    if (place != nodes_.size())
        settle(place, last);
}

} // namespace halyard
