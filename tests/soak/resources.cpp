#include "resources.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <malloc.h>
#include <unistd.h>

namespace soak {

Resources Resources::now() {
    Resources its;
    const std::filesystem::directory_iterator open("/proc/self/fd");
    its.descriptors = static_cast<std::size_t>(std::distance(begin(open), end(open))) - 1; // without the directory
#ifdef __GLIBC__
    const struct mallinfo2 heap = ::mallinfo2();
    its.allocated = heap.uordblks + heap.hblkhd;
#endif
    std::size_t total = 0;
    std::size_t pages = 0;
    if (std::ifstream("/proc/self/statm") >> total >> pages)
        its.resident = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return its;
}

std::chrono::nanoseconds processorTime() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

} // namespace soak
