#pragma once

#include <halyard/signals/export.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

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
    ByteQueue(ByteQueue&& other) noexcept;            ///< The other is empty then.
    ByteQueue& operator=(ByteQueue&& other) noexcept; ///< The same.
    ~ByteQueue() { clear(); }

    std::size_t size() const noexcept { return size_; } ///< How many bytes there are.
    bool empty() const noexcept { return size_ == 0; }  ///< There are none.
    /// Throws them away.
    void clear() noexcept {
        if (head_ == nullptr)
            return;
        if (head_ != tail_) [[unlikely]]
            freeAll();
        else
            clearOnlyPiece();
    }
    /// The same where all of them stand together.
    void clearOnlyPiece() noexcept {
        give(head_);
        head_ = nullptr;
        size_ = 0;
    }

    /// Copies them to the end.
    void append(std::string_view bytes) {
        if (bytes.empty())
            return;
        Segment& tail = head_ != nullptr ? *tail_ : newTail(take());
        if (tail.fits(bytes.size()))
            tail.add(bytes);
        else
            appendPieces(bytes);
        size_ += bytes.size();
    }
    void adopt(std::string&& bytes); ///< Takes a long string as it is, without copying its bytes.
    void append(ByteQueue&& other);  ///< Takes all of the other's bytes; many of them as they are.

    /// Bytes that a segment has room for: with 64 KiB a stream costs a third more processor time, with 128 a tenth.
    static constexpr std::size_t wholeSegment = 256 * 1024;

    /// Room to write at the end, as much as a receive call should be offered, and not more than is asked for, which is
    /// a whole segment at most. commit() says how much was used, and must follow.
    std::span<std::byte> reserve(std::size_t atMost = wholeSegment) {
        if (head_ != nullptr) [[unlikely]]
            return reserveBehind(atMost);
        Segment& tail = newTail(take());
        return {reinterpret_cast<std::byte*>(tail.data), atMost};
    }
    /// So many bytes were put into what reserve() gave.
    void commit(std::size_t used) noexcept {
        commitSome(used);
        if (size_ == 0)
            clear();
    }
    /// The same where it was not nothing.
    void commitSome(std::size_t used) noexcept {
        tail_->end += used;
        size_ += used;
    }

    /// The bytes that stand together at the front: some, unless the queue is empty.
    std::string_view front() const noexcept {
        if (head_ == nullptr)
            return {};
        return head_->size() != 0 ? head_->bytes() : frontBehindEmpty();
    }
    /// All bytes stand together at the front.
    bool isOnePiece() const noexcept { return head_ == nullptr || head_ == tail_; }
    /// All of them, where they do; else nothing.
    std::string_view onlyPiece() const noexcept {
        return head_ != nullptr && head_ == tail_ ? std::string_view(head_->data + head_->begin, size_)
                                                  : std::string_view();
    }

    /// How many bytes there were to skip.
    std::size_t skip(std::size_t bytes) noexcept {
        if (bytes < size_)
            return skipPart(bytes);
        const std::size_t all = size_;
        clear();
        return all;
    }
    std::size_t take(std::span<std::byte> into) noexcept; ///< Takes as many as there is room for: how many.
    std::string take(std::size_t atMost);                 ///< Takes so many, or what there is.
    /// Takes all.
    std::string takeAll() {
        return head_ != nullptr && head_ == tail_ && head_->capacity != 0 ? takeOnlyPiece() : takeAllPieces();
    }

    /// Takes the memory of a string that nobody needs any more, for the next one that is taken on this thread.
    static void reuse(std::string& spent) noexcept {
        if (pool_.spent != nullptr && spent.capacity() >= shortestReused)
            *pool_.spent = std::move(spent);
    }

    /// The place of the first `wanted` byte, or size().
    std::size_t find(char wanted) const noexcept;
    /// The place from `from` on where `wanted` begins, or size().
    std::size_t find(std::string_view wanted, std::size_t from) const noexcept;

    /// The segments from the front, for a system call. How many were filled in.
    int gather(std::span<iovec> vectors) const noexcept;

    static constexpr std::size_t longString = 16 * 1024; ///< From here on keeping it is cheaper than copying it.

    /// Gives the memory back that a short rest does not need.
    void shrink() {
        if (head_ != nullptr)
            shrinkRest();
    }

  private:
    /// A piece of memory with bytes in it; or a string that was moved in.
    struct Segment {
        Segment* next = nullptr;
        char* data = nullptr;
        std::size_t begin = 0;
        std::size_t end = 0;
        std::size_t capacity = 0; ///< 0: the bytes are those of `owned`
        std::string owned;

        std::size_t size() const noexcept { return end - begin; }
        std::size_t room() const noexcept { return capacity > end ? capacity - end : 0; }
        bool fits(std::size_t more) const noexcept {
            return static_cast<std::ptrdiff_t>(capacity - end) >= static_cast<std::ptrdiff_t>(more);
        }
        std::string_view bytes() const noexcept { return {data + begin, size()}; }
        void add(std::string_view more) noexcept {
            std::memcpy(data + end, more.data(), more.size());
            end += more.size();
        }
    };

    /// The whole segments that a thread has free, the last used on top: the one that is still in the cache. Trivial,
    /// and reached without a call: a message takes two segments and gives them back.
    struct Pool {
        static constexpr std::uint32_t most = 4;

        std::uint32_t count;
        std::uint32_t room; ///< for so many; none before the first segment, and when the thread ends
        Segment* segments[most];
        std::string* spent; ///< whose memory the next string may have; null where there is no room
    };
#ifdef __ELF__
    [[gnu::tls_model("initial-exec")]]
#endif
    static constinit thread_local Pool pool_;
    struct EmptyAtThreadEnd;

    static constexpr std::size_t shortestReused = 32; ///< shorter ones live in themselves, or are not worth it

    static Segment* create(std::size_t capacity);
    static void destroy(Segment* segment) noexcept;
    static Segment* take() {
        Pool& pool = pool_;
        if (pool.count == 0) [[unlikely]]
            return create(wholeSegment);
        Segment* const segment = pool.segments[--pool.count];
        segment->begin = segment->end = 0;
        return segment;
    }
    /// One that stands alone.
    static void give(Segment* segment) noexcept {
        Pool& pool = pool_;
        if (pool.count < pool.room && segment->capacity == wholeSegment) [[likely]]
            pool.segments[pool.count++] = segment;
        else
            destroy(segment);
    }
    static void giveFirst(Segment*& head) noexcept; ///< Of several: then the next one is the head.

    void freeAll() noexcept;
    std::span<std::byte> reserveBehind(std::size_t atMost);
    std::string takeOnlyPiece();
    std::string takeAllPieces();
    void appendPieces(std::string_view bytes);
    void cutBehind(Segment* tail, std::size_t end) noexcept;
    std::string_view frontBehindEmpty() const noexcept;
    std::size_t skipPart(std::size_t bytes) noexcept;
    void shrinkRest();
    static bool standsAt(const Segment& segment, std::size_t at, std::string_view text) noexcept;
    Segment& newTail(Segment* segment) noexcept {
        (head_ == nullptr ? head_ : tail_->next) = segment;
        tail_ = segment;
        return *segment;
    }

    Segment* head_ = nullptr;
    std::size_t size_ = 0;
    Segment* tail_ = nullptr; ///< where there is a head
};

} // namespace halyard
