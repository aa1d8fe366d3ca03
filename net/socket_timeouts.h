#pragma once

#include <halyard/core/deadline.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace halyard {

class StreamSocket;

/// How long a socket lets its peer take for what. Activity only leaves a stamp: the one deadline in the loop looks at
/// the stamps when it goes off, and is armed anew for what is left. So what every message resets costs the message no
/// step in the heap and no system call.
class SocketTimeouts final : public Deadline {
  public:
    enum Kind : std::uint8_t { Connecting, Reading, Writing, Closing };
    static constexpr std::size_t kinds = 4;
    static constexpr std::chrono::milliseconds closingDefault{30'000};
    /// A kernel that holds megabytes says nothing until a third of them has gone, and a slow peer may need longer for
    /// that than it may take. So what it has not taken is noted when what was on its way has come, and looked at again
    /// when the time is over.
    static constexpr std::chrono::milliseconds untilTaken(std::chrono::milliseconds limit) noexcept {
        return limit / 4;
    }

    explicit SocketTimeouts(StreamSocket& socket) noexcept : socket_(socket) {}
    using Deadline::joinLoop;
    using Deadline::leaveLoop;

    void set(Kind kind, std::chrono::milliseconds limit) noexcept { limits_[kind] = limit; } ///< 0: none
    std::chrono::milliseconds limit(Kind kind) const noexcept { return limits_[kind]; }

    /// The time of `kind` counts from now.
    void start(Kind kind);
    /// Something happened that `kind` waits for.
    void touch(Kind kind) noexcept { stamps_[kind] = Clock::now(); }

    /// So much is to be sent before the end: as long as some of it goes, closing has time. What is written later gives
    /// it none, or a program that never stops would hold its connection for ever.
    void owe(std::size_t bytes) noexcept { owed_ = bytes; }
    void sent(std::size_t bytes) noexcept; ///< So many have gone.

    /// When the first of those that count now is over, of WaitClock.
    std::optional<Clock::time_point> next() const noexcept;
    /// Tells the socket of a time that is over, or is armed for the next one.
    void dispatch() override;

  private:
    Clock::time_point end(Kind kind) const noexcept {
        return stamps_[kind] + (kind == Closing && !untaken_ ? untilTaken(limits_[kind]) : limits_[kind]);
    }
    std::optional<Kind> first() const noexcept;
    bool hasTaken();

    StreamSocket& socket_;
    std::array<std::chrono::milliseconds, kinds> limits_{{{}, {}, {}, closingDefault}};
    std::array<Clock::time_point, kinds> stamps_{};
    std::size_t owed_ = 0;
    std::optional<std::size_t> untaken_; ///< since untilTaken() of closing
};

} // namespace halyard
