#include <halyard/net/byte_queue.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <sys/uio.h>

using halyard::ByteQueue;

static_assert(!std::is_copy_constructible_v<ByteQueue> && std::is_nothrow_move_constructible_v<ByteQueue> &&
              std::is_nothrow_move_assignable_v<ByteQueue>);
static_assert(sizeof(ByteQueue) == 3 * sizeof(void*));

namespace {

std::string letters(std::size_t size, std::mt19937& random) {
    std::string text(size, '\0');
    std::generate(text.begin(), text.end(), [&] { return static_cast<char>('a' + random() % 26); });
    return text;
}

} // namespace

TEST_CASE("an empty queue has nothing at its front, and taking from it gives nothing") {
    ByteQueue queue;
    CHECK(queue.empty());
    CHECK(queue.front().empty());
    CHECK(queue.skip(10) == 0);
    CHECK(queue.takeAll().empty());
    CHECK(queue.find('x') == 0);
}

TEST_CASE("reserved room that nothing was put into leaves the queue empty") {
    ByteQueue queue;
    CHECK(queue.reserve().size() >= 4096);
    queue.commit(0);
    CHECK(queue.empty());
    CHECK(queue.front().empty());
}

TEST_CASE("a long string that is moved in comes out as the same memory") {
    std::string text(100'000, 'x');
    const char* const memory = text.data();
    ByteQueue queue;
    queue.adopt(std::move(text));
    CHECK(queue.front().data() == memory);
    CHECK(queue.takeAll().data() == memory);
    CHECK(queue.empty());
}

TEST_CASE("what another queue has is appended, many bytes as they are, and the other is empty") {
    std::mt19937 random(3);
    for (const std::size_t size : {0U, 1U, 1000U, 20'000U, 70'000U, 300'000U, 900'000U}) {
        CAPTURE(size);
        const std::string head = letters(100, random);
        const std::string body = letters(size, random);
        ByteQueue queue;
        ByteQueue other;
        queue.append(head);
        other.append(body);
        const char* const memory = other.front().data();
        queue.append(std::move(other));
        CHECK(other.empty()); // NOLINT(bugprone-use-after-move): that it was taken is what is asked
        CHECK(queue.size() == 100 + size);
        queue.append("tail");
        CHECK(queue.take(100) == head);
        CHECK((size < 300'000 || queue.front().data() == memory));
        CHECK(queue.takeAll() == body + "tail");
    }
}

TEST_CASE("a piece in which nothing was received is passed over, between others and in front") {
    ByteQueue received;
    const std::size_t before = received.reserve().size();
    std::ranges::fill(received.reserve(), std::byte{'h'});
    received.commit(before);
    received.reserve();
    received.commit(0);
    const std::string tail(300'000, 't');
    ByteQueue queue;
    queue.append(std::move(received));
    queue.adopt(std::string(tail));
    CHECK(queue.find('t') == before);
    CHECK(queue.skip(before) == before);
    CHECK(queue.front() == tail);
    CHECK(queue.takeAll() == tail);
}

TEST_CASE("a text is found across the borders of segments, from any place on") {
    std::mt19937 random(7);
    ByteQueue queue;
    std::string all;
    for (int i = 0; i != 200; ++i) {
        // Strings that were moved in are segments of their own.
        std::string piece(i % 3 == 0 ? 16 * 1024 : 1 + random() % 3, '\0');
        std::generate(piece.begin(), piece.end(), [&] { return static_cast<char>('a' + random() % 2); });
        all += piece;
        i % 3 == 0 ? queue.adopt(std::move(piece)) : queue.append(piece);
    }
    for (int i = 0; i != 300; ++i) {
        const std::string wanted = all.substr(random() % all.size(), 1 + random() % 24);
        const std::size_t from = random() % (all.size() + 10);
        CHECK(queue.find(wanted, from) == std::min(all.find(wanted, from), all.size()));
    }
    CHECK(queue.find("c", 0) == all.size());
    CHECK(queue.find(all.substr(all.size() - 3) + "a", 0) ==
          std::min(all.find(all.substr(all.size() - 3) + "a"), all.size()));
}

TEST_CASE("shrinking keeps a short rest, byte for byte") {
    ByteQueue queue;
    queue.append("0123456789");
    queue.skip(4);
    const char* const before = queue.front().data();
    queue.shrink();
    CHECK(queue.front() == "456789");
    CHECK(queue.front().data() != before);
    queue.append(std::string(500, 'z'));
    CHECK(queue.size() == 506);
    CHECK(queue.takeAll() == "456789" + std::string(500, 'z'));
}

TEST_CASE("moving a queue leaves the other one empty") {
    ByteQueue queue;
    queue.append("abc");
    ByteQueue other(std::move(queue));
    CHECK(queue.empty()); // NOLINT(bugprone-use-after-move): that is what is asked
    CHECK(other.takeAll() == "abc");
    queue.append("d");
    other = std::move(queue);
    CHECK(other.takeAll() == "d");
}

TEST_CASE("whatever is done to it, a queue holds what a plain string would") {
    std::mt19937 random(4711);
    for (int round = 0; round != 40; ++round) {
        ByteQueue queue;
        std::string model;
        for (int step = 0; step != 400; ++step) {
            const std::size_t size = random() % (random() % 8 == 0 ? 200'000 : 300);
            switch (random() % 9) {
            case 0: {
                const std::string text = letters(size, random);
                queue.append(text);
                model += text;
                break;
            }
            case 1: {
                std::string text = letters(size, random);
                model += text;
                queue.adopt(std::move(text));
                break;
            }
            case 2: {
                const std::span<std::byte> room = queue.reserve();
                const std::string text = letters(std::min(size, room.size()), random);
                std::copy(text.begin(), text.end(), reinterpret_cast<char*>(room.data()));
                queue.commit(text.size());
                model += text;
                break;
            }
            case 3:
                REQUIRE(queue.skip(size) == std::min(size, model.size()));
                model.erase(0, size);
                break;
            case 4:
                REQUIRE(queue.take(size) == model.substr(0, size));
                model.erase(0, size);
                break;
            case 5: {
                std::vector<std::byte> into(size);
                const std::size_t taken = queue.take(into);
                REQUIRE(taken == std::min(size, model.size()));
                REQUIRE(std::equal(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(taken),
                                   reinterpret_cast<const char*>(into.data())));
                model.erase(0, taken);
                break;
            }
            case 6:
                queue.shrink();
                break;
            case 7: {
                std::vector<iovec> vectors(1 + random() % 5);
                const int count = queue.gather(vectors);
                std::string gathered;
                for (int i = 0; i != count; ++i)
                    gathered.append(static_cast<const char*>(vectors[static_cast<std::size_t>(i)].iov_base),
                                    vectors[static_cast<std::size_t>(i)].iov_len);
                REQUIRE(model.starts_with(gathered));
                REQUIRE((count != 0) == !model.empty());
                break;
            }
            default:
                REQUIRE(queue.find('q') == std::min(model.find('q'), model.size()));
                if (random() % 20 == 0) {
                    REQUIRE(queue.takeAll() == model);
                    model.clear();
                }
            }
            REQUIRE(queue.size() == model.size());
            REQUIRE(model.starts_with(queue.front()));
            REQUIRE(queue.front().empty() == model.empty());
        }
    }
}

TEST_CASE("the memory of a spent string serves the next one that is taken, unless it is much too large") {
    ByteQueue queue;
    queue.append(std::string(80, 'a'));
    CHECK(queue.takeAll() == std::string(80, 'a'));

    std::string spent(100, 'x');
    const char* const memory = spent.data();
    ByteQueue::reuse(spent);
    CHECK(spent.empty());
    queue.append(std::string(80, 'b'));
    const std::string taken = queue.takeAll();
    CHECK(taken == std::string(80, 'b'));
    CHECK(taken.data() == memory);

    std::string large(10'000, 'x');
    ByteQueue::reuse(large);
    queue.append(std::string(80, 'c'));
    const std::string small = queue.takeAll();
    CHECK(small == std::string(80, 'c'));
    CHECK(small.capacity() < 200);
}
