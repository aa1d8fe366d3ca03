#pragma once

#include <functional>
#include <thread>

namespace halyard::test {

/// Runs `body` on a thread that has no loop yet, to its end. CHECK may be used inside, REQUIRE may not.
inline void onFreshThread(const std::function<void()>& body) {
    std::thread([&body] { body(); }).join();
}

} // namespace halyard::test
