#pragma once

#include <halyard/core/deadline.h>
#include <halyard/net/endpoint.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace halyard {

/// Connects to a host that has several addresses: to the first of them that answers (RFC 8305, Happy Eyeballs).
///
/// It tries them in their order, each once. The next attempt starts when the one before has failed, or when that has
/// not stood after a while; earlier ones go on meanwhile. The first connection that stands ends the others. It begins
/// when it is made, tells how it ended from the loop or in a wait, never before, and ends without a word when it is
/// destroyed, which `ended` may do too.
class ConnectionRace : private Deadline {
  public:
    struct Outcome {
        int descriptor = -1; ///< Connected and non-blocking, the callee's to close; −1 where every attempt failed.
        Endpoint peer;       ///< Of the connection, or of the failed attempt that `error` is of.
        int error = 0;       ///< errno
    };

    /// Makes a fresh descriptor ready to connect to the peer: options, the local address. An errno where it cannot be
    /// (EAFNOSUPPORT for a local address of the other family): this peer is skipped.
    using Prepare = std::function<int(int descriptor, const Endpoint& peer)>;
    using Ended = std::function<void(const Outcome& outcome)>;

    static constexpr std::chrono::milliseconds usualDelay{250};   ///< RFC 8305 section 5
    static constexpr std::chrono::milliseconds shortestDelay{10}; ///< The same; a shorter one is taken for this.

    /// The order in which to try addresses, as a resolver has sorted them: by turns of the families, the one that
    /// comes first in the answer first (RFC 8305 section 4). None twice.
    static std::vector<Endpoint> inOrder(std::span<const HostAddress> addresses, std::uint16_t port);

    ConnectionRace(std::vector<Endpoint> peers, std::chrono::milliseconds delay, Prepare prepare, Ended ended);
    ~ConnectionRace() override;

    /// Goes on without the loop until it has ended and told so, which is true, or `until` (none: for ever). False,
    /// too, with `*error` set where waiting fails.
    bool wait(std::optional<Clock::time_point> until, int* error);

  private:
    class Attempt;

    void dispatch() override;
    void startNext();
    void armForNext() noexcept;
    int start(const Endpoint& peer) noexcept;
    int tryToStart(const Endpoint& peer);
    void look(Attempt& attempt);
    void examine(Attempt& attempt);
    void fail(const Endpoint& peer, int error);
    bool hasEnded() const noexcept;
    void tell();
    bool gather(std::optional<Clock::time_point> until, int* error);

    std::vector<Endpoint> peers_;
    std::size_t next_ = 0; ///< whose turn it is
    std::chrono::milliseconds delay_;
    Prepare prepare_;
    Ended ended_;
    std::vector<std::unique_ptr<Attempt>> attempts_; ///< under way, in the order of their beginning
    Outcome outcome_;
};

} // namespace halyard
