#include "tcp_pair.h"

#include <halyard/net/frame_reader.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;

namespace {

/// Has `text` received by the far side of the pair.
void deliver(TcpPair& pair, std::string_view text) {
    const std::size_t before = pair.far->bytesAvailable();
    pair.near->write(text);
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == before + text.size(); }));
}

} // namespace

TEST_CASE("frames of a size come whole or not at all") {
    TcpPair pair;
    FrameReader frames(*pair.far);
    deliver(pair, "abc");
    CHECK_FALSE(frames.read(4));
    CHECK(pair.far->bytesAvailable() == 3);
    deliver(pair, "defg");
    CHECK(frames.read(4) == "abcd");
    CHECK(frames.read(0) == "");
    CHECK(frames.read(3) == "efg");
    CHECK_FALSE(frames.read(1));
    CHECK_FALSE(frames.isTooLong());
}

TEST_CASE("frames end with their delimiter, wherever the pieces in which it comes are cut") {
    TcpPair pair;
    FrameReader frames(*pair.far);
    for (const std::string_view piece : {"GET / HTTP/1.1\r", "\nHost: x\r\n", "\r", "\nbody", "next\r\n\r\n"})
        deliver(pair, piece);
    CHECK(frames.readUntil("\r\n\r\n") == "GET / HTTP/1.1\r\nHost: x");
    CHECK(frames.read(4) == "body");
    CHECK(frames.readUntil("\r\n\r\n") == "next");
    CHECK_FALSE(frames.readUntil("\r\n\r\n"));
    CHECK_FALSE(frames.readUntil(""));
}

TEST_CASE("lines come without their end, whichever it is") {
    TcpPair pair;
    FrameReader lines(*pair.far);
    deliver(pair, "unix\ndos\r\n\n\r\nrest");
    CHECK(lines.readLine() == "unix");
    CHECK(lines.readLine() == "dos");
    CHECK(lines.readLine() == "");
    CHECK(lines.readLine() == "");
    CHECK_FALSE(lines.readLine());
    CHECK(pair.far->readAll() == "rest");
}

TEST_CASE("a frame that outgrows the limit is an error, with its end and without") {
    for (const bool withEnd : {false, true}) {
        TcpPair pair;
        FrameReader lines(*pair.far, 10);
        deliver(pair, "0123456789\n");
        CHECK(lines.readLine() == "0123456789");
        deliver(pair, withEnd ? "0123456789a\n" : "0123456789a");
        CHECK_FALSE(lines.readLine());
        CHECK(lines.isTooLong());
        deliver(pair, "\n");
        CHECK_FALSE(lines.readLine());
        pair.far->readAll();
        lines.reset();
        deliver(pair, "again\n");
        CHECK(lines.readLine() == "again");
        CHECK_FALSE(lines.read(11));
        CHECK(lines.isTooLong());
    }
}

TEST_CASE("the read limit of the socket counts where it is smaller: a frame that never fits is too long") {
    TcpPair pair;
    pair.far->setReadBufferSize(8);
    FrameReader frames(*pair.far, 1000);
    pair.near->write("12345678 and no end");
    REQUIRE(pumpUntil([&] { return pair.far->bytesAvailable() == 8; }));
    CHECK_FALSE(frames.readLine());
    CHECK(frames.isTooLong());
    frames.reset();
    CHECK(frames.read(8) == "12345678");
    CHECK_FALSE(frames.read(9));
    CHECK(frames.isTooLong());
}

TEST_CASE("lines of all lengths in pieces of all sizes come as they were sent") {
    std::mt19937 random(11);
    std::string stream;
    std::vector<std::string> sent;
    for (int i = 0; i != 2000; ++i) {
        sent.emplace_back(random() % 400, static_cast<char>('a' + random() % 26));
        stream += sent.back() + "\r\n";
    }
    TcpPair pair;
    std::vector<std::string> got;
    FrameReader frames(*pair.far, 400);
    pair.far->readyRead.connect([&] {
        while (const auto frame = frames.readUntil("\r\n"))
            got.push_back(*frame);
    });
    for (std::size_t at = 0; at < stream.size();) {
        const std::size_t size = 1 + random() % 3000;
        pair.near->write(std::string_view(stream).substr(at, size));
        at += size;
        pumpIdle(1);
    }
    REQUIRE(pumpUntil([&] { return got.size() == sent.size(); }));
    CHECK(got == sent);
    CHECK_FALSE(frames.isTooLong());
}

TEST_CASE("a reader outlives its socket") {
    TcpPair pair;
    FrameReader lines(*pair.far);
    deliver(pair, "a line\n");
    pair.far.reset();
    CHECK_FALSE(lines.readLine());
    CHECK_FALSE(lines.read(1));
}
