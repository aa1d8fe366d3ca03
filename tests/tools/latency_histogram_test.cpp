#include <latency_histogram.h>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>

using echo::LatencyHistogram;
using namespace std::chrono_literals;

TEST_CASE("an empty histogram says nothing") {
    const LatencyHistogram none;
    CHECK(none.count() == 0);
    CHECK(none.percentile(50) == 0ns);
    CHECK(none.min() == 0ns);
    CHECK(none.max() == 0ns);
    CHECK(none.mean() == 0ns);
}

TEST_CASE("percentiles are within a 64th of the truth, from nanoseconds to years") {
    for (std::int64_t value = 1; value < INT64_MAX / 3; value = value * 3 + 1) {
        LatencyHistogram histogram;
        histogram.add(std::chrono::nanoseconds(value));
        histogram.add(std::chrono::nanoseconds(INT64_MAX));
        const auto half = histogram.percentile(50).count();
        CHECK(half >= value);
        CHECK(half - value <= value / 64);
        CHECK(histogram.percentile(100).count() == INT64_MAX);
        CHECK(histogram.min().count() == value);
    }
}

TEST_CASE("so many of a hundred stay within a percentile") {
    LatencyHistogram histogram;
    for (int i = 1; i <= 100; ++i)
        histogram.add(std::chrono::nanoseconds(i));
    CHECK(histogram.percentile(0) == 1ns);
    CHECK(histogram.percentile(1) == 1ns);
    CHECK(histogram.percentile(50) == 50ns);
    CHECK(histogram.percentile(99) == 99ns);
    CHECK(histogram.percentile(99.9) == 100ns);
    CHECK(histogram.between(0ns, 50ns) == 50);
    CHECK(histogram.between(50ns, 1s) == 50);
    CHECK(histogram.mean() == 50ns);
    histogram.clear();
    CHECK(histogram.count() == 0);
    histogram.add(-1ns); // a clock that goes back
    CHECK(histogram.max() == 0ns);
}
