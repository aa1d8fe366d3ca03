#pragma once

#include <thread>
#include <utility>

namespace halyard::test {

/// Runs `body` on a thread that has no loop yet, to its end. CHECK may be used inside, REQUIRE may not.
template <class Body>
void onFreshThread(Body&& body) {
    std::thread(std::forward<Body>(body)).join();
}

} // namespace halyard::test
