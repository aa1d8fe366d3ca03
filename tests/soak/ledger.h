#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace soak {

/// What was done, and what was wrong with it. Thread-safe.
class Ledger {
  public:
    std::atomic<std::uint64_t> bytesServed = 0;   ///< that sessions have received and found right
    std::atomic<std::uint64_t> bytesReturned = 0; ///< that visits have got back and found right
    std::atomic<std::uint64_t> calls = 0;         ///< queued ones, that came in their order
    std::atomic<std::uint64_t> timeouts = 0;      ///< timers that went off, once and not early
    std::atomic<int> sessions = 0;                ///< that are open

    /// One more of what has this name.
    void count(const std::string& what);
    void wrong(std::string sentence);

    bool isClean() const;
    std::map<std::string, std::uint64_t> counts() const;
    std::vector<std::string> complaints() const; ///< The first of them, and how many more there are.

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::uint64_t> counts_;
    std::vector<std::string> complaints_;
    std::size_t more_ = 0;
};

} // namespace soak
