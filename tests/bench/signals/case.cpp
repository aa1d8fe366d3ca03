#include "case.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace bench {

namespace {

using Nanoseconds = std::chrono::duration<double, std::nano>;

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// Nanoseconds of one call.
double timeOf(const std::function<void()>& work) {
    const Run::Clock::time_point began = Run::Clock::now();
    work();
    return Nanoseconds(Run::Clock::now() - began).count();
}

const Case* find(const Cases& cases, const std::string& name) {
    const auto found =
        std::find_if(cases.begin(), cases.end(), [&name](const Case& each) { return each.name == name; });
    return found != cases.end() ? &*found : nullptr;
}

void answer(const Cases& cases, const std::string& name, const Run& run) {
    const Case* const wanted = find(cases, name);
    if (wanted == nullptr) {
        std::cout << "none" << std::endl;
        return;
    }
    try {
        const double value = wanted->measure(run);
        std::cout << value << std::endl;
    } catch (const Refused& reason) {
        std::cout << "refused: " << reason.what() << std::endl;
    }
}

} // namespace

double Run::repeated(const std::function<void(std::size_t times)>& repeat, std::size_t each) const {
    if (operations_ != 0) {
        repeat(operations_ / each);
        return 0;
    }
    // Long enough for the clock, short enough to be rarely interrupted. Finding the length warms up as well.
    constexpr double batchTime = 100'000;
    std::size_t times = 1;
    while (timeOf([&] { repeat(times); }) < batchTime)
        times *= 2;
    return batched(
        times * each, [] {}, [&] { repeat(times); });
}

double Run::batched(std::size_t operations, const std::function<void()>& prepare,
                    const std::function<void()>& batch) const {
    constexpr std::size_t fewest = 3;
    std::vector<double> times;
    std::size_t done = 0;
    const Clock::time_point end = Clock::now() + slice_;
    do {
        prepare();
        times.push_back(timeOf(batch) / static_cast<double>(operations));
        done += operations;
    } while (operations_ != 0 ? done < operations_ : Clock::now() < end || times.size() < fewest);
    return median(times);
}

std::size_t heapInUse() {
    const struct mallinfo2 heap = ::mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

int serve(const Cases& cases, int argc, char** argv) {
    if (argc == 3) {
        answer(cases, argv[1], Run::counted(std::strtoull(argv[2], nullptr, 10)));
        return 0;
    }
    std::string name;
    long long slice = 0;
    while (std::cin >> name >> slice)
        answer(cases, name, Run::timed(std::chrono::milliseconds(slice)));
    return 0;
}

} // namespace bench
