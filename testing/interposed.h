#pragma once

#include <halyard/testing/faults.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <limits>

#include <dlfcn.h>

namespace halyard::testing {

/// What the rules say of one call.
struct Verdict {
    int error = 0; ///< 0: it is made
    std::size_t most = std::numeric_limits<std::size_t>::max();
};

/// What a function that stands in the place of the C library's does before it goes on to that one.
struct Interposed {
    /// Counts the call, asks the rules, and sleeps where they say so.
    static Verdict judge(Call call) noexcept;

    template <class Go>
    static auto unlessFailed(Call call, Go go) -> decltype(go()) {
        if (const Verdict verdict = judge(call); verdict.error != 0) {
            errno = verdict.error;
            return -1;
        }
        return go();
    }

    template <class Go>
    static auto transfer(Call call, std::size_t size, Go go) -> decltype(go(size)) {
        const Verdict verdict = judge(call);
        if (verdict.error != 0) {
            errno = verdict.error;
            return -1;
        }
        return go(std::min(size, verdict.most));
    }
};

/// The function that would have been called, were this library not there: the C library's, or a sanitizer's.
template <class Function>
class Next {
  public:
    explicit constexpr Next(const char* name) noexcept : name_(name) {}

    template <class... Args>
    auto operator()(Args... args) noexcept {
        void* found = found_.load(std::memory_order_relaxed);
        if (found == nullptr) {
            found = ::dlsym(RTLD_NEXT, name_);
            found_.store(found, std::memory_order_relaxed);
        }
        return reinterpret_cast<Function*>(found)(args...);
    }

  private:
    const char* name_;
    std::atomic<void*> found_ = nullptr;
};

/// Refers to the objects that interpose, so that a program that uses Faults is linked with them.
void linkSystemCalls() noexcept;
void linkAllocation() noexcept;

} // namespace halyard::testing
