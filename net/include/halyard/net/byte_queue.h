#pragma once

#include <halyard/signals/export.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

struct iovec;

namespace halyard {

/// Bytes that come in at one end and leave at the other, in segments that are shared by all queues of a thread: an
/// empty queue holds no memory, and nothing is moved when bytes are taken.
///
///     const std::span<std::byte> room = queue.reserve();
///     queue.commit(recv(fd, room.data(), room.size(), 0));
///     std::string_view line = queue.front();
///     queue.skip(line.size());
class HALYARD_API ByteQueue {
  public:
    ByteQueue() noexcept = default;
    ByteQueue(ByteQueue&& other) noexcept;
    ByteQueue& operator=(ByteQueue&& other) noexcept;
    ~ByteQueue() { clear(); }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    void clear() noexcept;

    void append(std::string_view bytes);
    void adopt(std::string&& bytes); ///< Takes a long string as it is, without copying its bytes.

    /// Room to write at the end, as much as a receive call should be offered. commit() says how much was used, and
    /// must follow.
    std::span<std::byte> reserve();
    void commit(std::size_t used) noexcept;

    /// The bytes that stand together at the front: some, unless the queue is empty.
    std::string_view front() const noexcept;
    std::size_t skip(std::size_t bytes) noexcept; ///< How many there were to skip.
    std::size_t take(std::span<std::byte> into) noexcept;
    std::string take(std::size_t atMost);
    std::string takeAll();

    /// The place of the first `wanted` byte, or size().
    std::size_t find(char wanted) const noexcept;

    /// The segments from the front, for a system call. How many were filled in.
    int gather(std::span<iovec> vectors) const noexcept;

    /// Gives the memory back that a short rest does not need.
    void shrink();

  private:
    struct Segment;
    class Pool;

    Segment& newTail(std::size_t room);

    Segment* head_ = nullptr;
    Segment* tail_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace halyard
