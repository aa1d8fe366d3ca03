#pragma once

#include <halyard/testing/faults.h>

#include <logged.h>
#include <pump.h>

#include <halyard/net/socket_types.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

namespace halyard::test {

inline std::string pattern(std::size_t size) {
    std::string all(size, '\0');
    unsigned value = 1;
    for (char& each : all)
        each = static_cast<char>((value = value * 1664525U + 1013904223U) >> 24U);
    return all;
}

inline std::ptrdiff_t descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

/// What came of a conversation in which calls failed.
struct Outcome {
    bool ended = false;              ///< everybody came to an end, in time
    std::string received;            ///< by the one side
    std::string echoed;              ///< to the other
    std::vector<SocketError> errors; ///< whoever's, in their order; the peer's end at the end is none

    bool isComplete(const std::string& message) const { return received == message && echoed == message; }
    bool reported(SocketError error) const { return std::ranges::find(errors, error) != errors.end(); }
    void note(SocketError error) { errors.push_back(error); }
    /// Nothing is lost, turned round or there twice, and what is not there somebody has told of.
    void check(const std::string& message) const {
        CHECK(ended);
        CHECK(message.starts_with(received));
        CHECK(message.starts_with(echoed));
        const bool isTold = !errors.empty();
        CHECK((isComplete(message) || isTold));
        CHECK_FALSE(reported(SocketError::None));
    }
};

/// For a conversation that waits: it has come to an end, unless a wait took all the time that there was.
template <class Conversation>
Outcome inTime(Conversation conversation) {
    const auto start = std::chrono::steady_clock::now();
    Outcome outcome = conversation();
    outcome.ended = std::chrono::steady_clock::now() - start < patience();
    return outcome;
}

/// Whether a call that fails so is simply to be made again.
inline bool isTransient(testing::Call call, int error) {
    using testing::Call;
    switch (call) {
    case Call::Recv:
    case Call::Send:
    case Call::SendMsg:
    case Call::SendFile:
    case Call::Splice:
        return error == EINTR || error == EAGAIN;
    case Call::Accept4:
        return error == EINTR || error == EAGAIN || error == ECONNABORTED;
    case Call::Connect:
        return error == EINTR || error == EINPROGRESS;
    case Call::Poll:
    case Call::EpollWait:
        return error == EINTR;
    case Call::Close:
        return true;
    default:
        return false;
    }
}

/// Every such call of a scenario fails once, in each way that its man page lists; each is repeated or told, as it
/// should. How many calls have failed.
template <class Scenario>
std::uint64_t tryCall(testing::Call call, const std::string& message, Scenario scenario) {
    using testing::Call;
    Logged log;
    std::uint64_t faults = 0;
    CAPTURE(nameOf(call));
    const std::ptrdiff_t before = descriptors();
    for (const int error : errorsOf(call)) {
        CAPTURE(error);
        faults += failEach(call, error, [&](std::uint64_t n) {
            CAPTURE(n);
            const Outcome outcome = scenario(message);
            outcome.check(message);
            if (isTransient(call, error))
                CHECK(outcome.isComplete(message));
            else if (call == Call::Recv || call == Call::Send || call == Call::SendMsg || call == Call::SendFile ||
                     call == Call::Splice)
                CHECK((outcome.isComplete(message) || outcome.reported(socketErrorFromErrno(error)) ||
                       outcome.reported(SocketError::ProxyConnectionClosed)));
        });
    }
    CHECK(pumpUntil([&] { return descriptors() == before; })); // who ends while the peer sends hears it out
    return faults;
}

/// The same for several calls.
template <class Scenario>
std::uint64_t tryEach(std::initializer_list<testing::Call> calls, const std::string& message, Scenario scenario) {
    std::uint64_t faults = 0;
    for (const testing::Call call : calls)
        faults += tryCall(call, message, scenario);
    return faults;
}

} // namespace halyard::test
