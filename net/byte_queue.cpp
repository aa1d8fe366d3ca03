#include <halyard/net/byte_queue.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <sys/uio.h>

namespace halyard {

constinit thread_local ByteQueue::Pool ByteQueue::pool_{};

/// Frees what the thread's pool has, and has it keep nothing from then on.
struct ByteQueue::EmptyAtThreadEnd {
    EmptyAtThreadEnd() noexcept {
        pool_.room = Pool::most;
        pool_.spent = &spent;
    }
    EmptyAtThreadEnd(const EmptyAtThreadEnd&) = delete;
    EmptyAtThreadEnd& operator=(const EmptyAtThreadEnd&) = delete;
    ~EmptyAtThreadEnd() {
        pool_.spent = nullptr;
        pool_.room = 0;
        while (pool_.count != 0)
            destroy(pool_.segments[--pool_.count]);
    }
    std::string spent;
};

ByteQueue::Segment* ByteQueue::create(std::size_t capacity) {
    static thread_local const EmptyAtThreadEnd janitor;
    void* const memory = ::operator new(sizeof(Segment) + capacity);
    // cppcheck-suppress legacyUninitvar ; it loses sight of the placement
    auto* const segment = ::new (memory) Segment;
    segment->data = static_cast<char*>(memory) + sizeof(Segment);
    segment->capacity = capacity;
    return segment;
}

void ByteQueue::destroy(Segment* segment) noexcept {
    segment->~Segment();
    ::operator delete(segment);
}

void ByteQueue::giveFirst(Segment*& head) noexcept {
    Segment* const first = std::exchange(head, head->next);
    first->next = nullptr;
    give(first);
}

ByteQueue::ByteQueue(ByteQueue&& other) noexcept
    : head_(std::exchange(other.head_, nullptr)), size_(std::exchange(other.size_, 0)), tail_(other.tail_) {}

ByteQueue& ByteQueue::operator=(ByteQueue&& other) noexcept {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
    if (this != &other)
        other.clear();
    return *this;
}

void ByteQueue::freeAll() noexcept {
    Segment* each = head_;
    Segment* const last = tail_;
    head_ = nullptr;
    size_ = 0;
    while (each != last)
        giveFirst(each);
    give(last);
}

/// All of them, or none where memory ends: half a message must not go out.
void ByteQueue::appendPieces(std::string_view bytes) {
    struct Undo {
        explicit Undo(ByteQueue& queue) noexcept
            : its(&queue), tail(queue.head_ != nullptr ? queue.tail_ : nullptr), end(tail != nullptr ? tail->end : 0) {}
        Undo(const Undo&) = delete;
        Undo& operator=(const Undo&) = delete;
        ~Undo() {
            if (its != nullptr)
                its->cutBehind(tail, end);
        }
        ByteQueue* its;
        Segment* tail;
        std::size_t end;
    } undo(*this);
    while (!bytes.empty()) {
        Segment& tail = head_ != nullptr && tail_->room() != 0 ? *tail_ : newTail(take());
        const std::string_view piece = bytes.substr(0, tail.room());
        tail.add(piece);
        bytes.remove_prefix(piece.size());
    }
    undo.its = nullptr;
}

/// Its end is `end` of `tail` again; where that is null, it is empty.
void ByteQueue::cutBehind(Segment* tail, std::size_t end) noexcept {
    if (tail == nullptr) {
        if (head_ != nullptr)
            freeAll();
        return;
    }
    Segment* each = tail->next;
    Segment* const last = tail_;
    tail->next = nullptr;
    tail->end = end;
    tail_ = tail;
    if (tail == last)
        return;
    while (each != last)
        giveFirst(each);
    give(last);
}

void ByteQueue::adopt(std::string&& bytes) {
    if (bytes.size() < longString) {
        append(bytes);
        return;
    }
    Segment& tail = newTail(create(0));
    tail.owned = std::move(bytes);
    tail.data = tail.owned.data();
    tail.end = tail.owned.size();
    size_ += tail.end;
}

void ByteQueue::append(ByteQueue&& other) {
    const std::size_t room = head_ != nullptr ? tail_->room() : 0;
    if (other.size_ < longString || other.size_ <= room) {
        if (other.size_ > room)
            newTail(take()); // or nothing is appended
        for (const Segment* each = other.head_; each != nullptr; each = each->next)
            append(each->bytes());
        other.clear();
        return;
    }
    (head_ == nullptr ? head_ : tail_->next) = std::exchange(other.head_, nullptr);
    tail_ = other.tail_;
    size_ += std::exchange(other.size_, 0);
}

std::span<std::byte> ByteQueue::reserveBehind(std::size_t atMost) {
    // A nearly full segment would make a receive call do little work.
    Segment& tail = tail_->room() >= wholeSegment / 4 ? *tail_ : newTail(take());
    return {reinterpret_cast<std::byte*>(tail.data) + tail.end, std::min(tail.room(), atMost)};
}

std::string_view ByteQueue::frontBehindEmpty() const noexcept {
    for (const Segment* each = head_; each != nullptr; each = each->next)
        if (each->size() != 0)
            return each->bytes();
    return {};
}

std::size_t ByteQueue::skipPart(std::size_t bytes) noexcept {
    size_ -= bytes;
    for (std::size_t left = bytes; left != 0;) {
        const std::size_t part = std::min(left, head_->size());
        head_->begin += part;
        left -= part;
        if (head_->size() == 0)
            giveFirst(head_); // something is left, so there is a next one
    }
    return bytes;
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

/// By itself, so that the string is made where the caller wants it: a function that returns two is not given that.
std::string ByteQueue::takeOnlyPiece() {
    // Memory that is more than twice what is needed would be held for nothing.
    const auto serves = [this](const std::string* spent) {
        return spent != nullptr && spent->capacity() >= size_ && spent->capacity() / 2 <= size_;
    };
    std::string bytes(serves(pool_.spent) ? std::move(*pool_.spent) : std::string());
    bytes.assign(head_->data + head_->begin, size_);
    clear();
    return bytes;
}

std::string ByteQueue::takeAllPieces() {
    if (head_ == nullptr || !isOnePiece() || head_->begin != 0)
        return take(size_);
    std::string bytes = std::move(head_->owned); // a string that came in whole leaves whole
    freeAll();
    return bytes;
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

std::size_t ByteQueue::find(std::string_view wanted, std::size_t from) const noexcept {
    const Segment* segment = head_;
    std::size_t before = 0; // in the segments before this one
    for (; segment != nullptr; before += segment->size(), segment = segment->next) {
        std::string_view bytes = segment->bytes();
        for (std::size_t at = from > before ? from - before : 0; at < bytes.size(); ++at) {
            at = std::min(bytes.find(wanted.front(), at), bytes.size());
            if (at != bytes.size() && standsAt(*segment, at, wanted))
                return before + at;
        }
    }
    return size_;
}

/// Whether `text` stands there, in this segment and those behind it.
bool ByteQueue::standsAt(const Segment& segment, std::size_t at, std::string_view text) noexcept {
    for (const Segment* each = &segment; each != nullptr; each = each->next, at = 0) {
        const std::string_view part = each->bytes().substr(at, text.size());
        if (part != text.substr(0, part.size()))
            return false;
        text.remove_prefix(part.size());
        if (text.empty())
            return true;
    }
    return false;
}

int ByteQueue::gather(std::span<iovec> vectors) const noexcept {
    std::size_t count = 0;
    for (Segment* each = head_; each != nullptr && count != vectors.size(); each = each->next)
        if (each->size() != 0)
            vectors[count++] = {each->data + each->begin, each->size()};
    return static_cast<int>(count);
}

void ByteQueue::shrinkRest() {
    constexpr std::size_t shortRest = wholeSegment / 16;
    if (size_ > shortRest || tail_->capacity != wholeSegment)
        return;
    // As much room again, so that the next short piece fits too.
    Segment* const fitting = create(std::max<std::size_t>(256, size_ * 2));
    const std::size_t rest = size_;
    take(std::span(reinterpret_cast<std::byte*>(fitting->data), rest));
    fitting->end = rest;
    head_ = tail_ = fitting;
    size_ = rest;
}

} // namespace halyard
