#include <halyard/net/byte_queue.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <sys/uio.h>

namespace halyard {

namespace {

constexpr std::size_t wholeSegment = 64 * 1024; // what a receive call is offered
constexpr std::size_t longString = 16 * 1024;   // from here on keeping the string is cheaper than copying it
constexpr std::size_t pooled = 8;               // free whole segments that a thread keeps

} // namespace

/// A piece of memory with bytes in it; or a string that was moved in.
struct ByteQueue::Segment {
    Segment* next = nullptr;
    char* data = nullptr;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t capacity = 0; ///< 0: the bytes are those of `owned`
    std::string owned;

    std::size_t size() const noexcept { return end - begin; }
    std::size_t room() const noexcept { return capacity > end ? capacity - end : 0; }

    static Segment* make(std::size_t capacity);
    static void free(Segment* segment) noexcept;
};

/// The whole segments that a thread has free, the last used first: the one that is still in the cache.
class ByteQueue::Pool {
  public:
    Pool() = default;
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() {
        count_ = pooled; // what is freed from now on is freed
        while (first_ != nullptr)
            destroy(std::exchange(first_, first_->next));
    }

    static Pool& ofThisThread() {
        static thread_local Pool pool;
        return pool;
    }

    Segment* take() {
        if (first_ == nullptr)
            return create(wholeSegment);
        --count_;
        Segment* const segment = std::exchange(first_, first_->next);
        segment->next = nullptr;
        segment->begin = segment->end = 0;
        return segment;
    }

    bool keep(Segment* segment) noexcept {
        if (count_ == pooled)
            return false;
        ++count_;
        segment->next = std::exchange(first_, segment);
        return true;
    }

    static Segment* create(std::size_t capacity) {
        void* const memory = ::operator new(sizeof(Segment) + capacity);
        auto* const segment = ::new (memory) Segment;
        segment->data = static_cast<char*>(memory) + sizeof(Segment);
        segment->capacity = capacity;
        return segment;
    }

    static void destroy(Segment* segment) noexcept {
        segment->~Segment();
        ::operator delete(segment);
    }

  private:
    Segment* first_ = nullptr;
    std::size_t count_ = 0;
};

ByteQueue::Segment* ByteQueue::Segment::make(std::size_t capacity) {
    return capacity == wholeSegment ? Pool::ofThisThread().take() : Pool::create(capacity);
}

void ByteQueue::Segment::free(Segment* segment) noexcept {
    if (segment->capacity != wholeSegment || !Pool::ofThisThread().keep(segment))
        Pool::destroy(segment);
}

ByteQueue::ByteQueue(ByteQueue&& other) noexcept :
    head_(std::exchange(other.head_, nullptr)), tail_(std::exchange(other.tail_, nullptr)),
    size_(std::exchange(other.size_, 0)) {}

ByteQueue& ByteQueue::operator=(ByteQueue&& other) noexcept {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
    if (this != &other)
        other.clear();
    return *this;
}

void ByteQueue::clear() noexcept {
    while (head_ != nullptr)
        Segment::free(std::exchange(head_, head_->next));
    tail_ = nullptr;
    size_ = 0;
}

ByteQueue::Segment& ByteQueue::newTail(std::size_t room) {
    Segment* const segment = Segment::make(room);
    (tail_ == nullptr ? head_ : tail_->next) = segment;
    tail_ = segment;
    return *segment;
}

void ByteQueue::append(std::string_view bytes) {
    while (!bytes.empty()) {
        Segment& tail = tail_ != nullptr && tail_->room() != 0 ? *tail_ : newTail(wholeSegment);
        const std::size_t part = std::min(bytes.size(), tail.room());
        std::memcpy(tail.data + tail.end, bytes.data(), part);
        tail.end += part;
        size_ += part;
        bytes.remove_prefix(part);
    }
}

void ByteQueue::adopt(std::string&& bytes) {
    if (bytes.size() < longString) {
        append(bytes);
        return;
    }
    Segment& tail = newTail(0);
    tail.owned = std::move(bytes);
    tail.data = tail.owned.data();
    tail.end = tail.owned.size();
    size_ += tail.end;
}

std::span<std::byte> ByteQueue::reserve() {
    // A nearly full segment would make a receive call do little work.
    Segment& tail = tail_ != nullptr && tail_->room() >= wholeSegment / 4 ? *tail_ : newTail(wholeSegment);
    return {reinterpret_cast<std::byte*>(tail.data) + tail.end, tail.room()};
}

void ByteQueue::commit(std::size_t used) noexcept {
    tail_->end += used;
    size_ += used;
    if (size_ == 0)
        clear();
}

std::string_view ByteQueue::front() const noexcept {
    for (const Segment* each = head_; each != nullptr; each = each->next)
        if (each->size() != 0)
            return {each->data + each->begin, each->size()};
    return {};
}

std::size_t ByteQueue::skip(std::size_t bytes) noexcept {
    const std::size_t all = std::min(bytes, size_);
    for (std::size_t left = all; left != 0;) {
        const std::size_t part = std::min(left, head_->size());
        head_->begin += part;
        left -= part;
        if (head_->size() == 0 && head_ != tail_)
            Segment::free(std::exchange(head_, head_->next));
    }
    size_ -= all;
    if (size_ == 0)
        clear();
    return all;
}

std::size_t ByteQueue::take(std::span<std::byte> into) noexcept {
    std::size_t taken = 0;
    while (taken != into.size() && size_ != 0) {
        const std::string_view bytes = front();
        const std::size_t part = std::min(bytes.size(), into.size() - taken);
        std::memcpy(into.data() + taken, bytes.data(), part);
        taken += part;
        skip(part);
    }
    return taken;
}

std::string ByteQueue::take(std::size_t atMost) {
    atMost = std::min(atMost, size_);
    if (head_ != nullptr && head_->size() >= atMost) { // the common case: one copy, straight into the string
        std::string bytes(head_->data + head_->begin, atMost);
        skip(atMost);
        return bytes;
    }
    std::string bytes(atMost, '\0');
    take(std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    return bytes;
}

std::string ByteQueue::takeAll() {
    // A string that came in whole leaves whole.
    if (head_ != nullptr && head_->next == nullptr && head_->capacity == 0 && head_->begin == 0) {
        std::string bytes = std::move(head_->owned);
        clear();
        return bytes;
    }
    return take(size_);
}

std::size_t ByteQueue::find(char wanted) const noexcept {
    std::size_t before = 0;
    for (const Segment* each = head_; each != nullptr; each = each->next) {
        if (each->size() == 0)
            continue;
        const char* const begin = each->data + each->begin;
        if (const void* const found = std::memchr(begin, wanted, each->size()))
            return before + static_cast<std::size_t>(static_cast<const char*>(found) - begin);
        before += each->size();
    }
    return size_;
}

int ByteQueue::gather(std::span<iovec> vectors) const noexcept {
    std::size_t count = 0;
    for (Segment* each = head_; each != nullptr && count != vectors.size(); each = each->next)
        if (each->size() != 0)
            vectors[count++] = {each->data + each->begin, each->size()};
    return static_cast<int>(count);
}

void ByteQueue::shrink() {
    constexpr std::size_t shortRest = wholeSegment / 16;
    if (tail_ == nullptr || size_ > shortRest || tail_->capacity != wholeSegment)
        return;
    // As much room again, so that the next short piece fits too.
    Segment* const fitting = Segment::make(std::max<std::size_t>(256, size_ * 2));
    const std::size_t rest = size_;
    take(std::span(reinterpret_cast<std::byte*>(fitting->data), rest));
    fitting->end = rest;
    head_ = tail_ = fitting;
    size_ = rest;
}

} // namespace halyard
