#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// What programs test themselves with, in a library of its own: halyard-testing. (The clock that tests advance is
/// ManualClock, in <halyard/core/clock.h>; SignalSpy is in <halyard/core/signal_spy.h>.)
namespace halyard::testing {

/// What a fault can be put into: the functions of the C library that Halyard and libuv call, each under the name of its
/// man page, and the program's operator new. (Not under clang's ThreadSanitizer and MemorySanitizer: these let no
/// program have one.)
enum class Call : unsigned char {
    Accept4,      ///< accept4(2), accept(2)
    Allocate,     ///< operator new in all its forms; malloc(3) is left alone
    Bind,         ///< bind(2)
    Close,        ///< close(2), which closes all the same, as Linux does
    Connect,      ///< connect(2); with EINPROGRESS it is under way, and not just said to be
    EpollCreate1, ///< epoll_create1(2), epoll_create(2)
    EpollCtl,     ///< epoll_ctl(2)
    EpollWait,    ///< epoll_wait(2), epoll_pwait(2)
    EventFd,      ///< eventfd(2)
    Fcntl,        ///< fcntl(2)
    GetAddrInfo,  ///< getaddrinfo(3); Halyard calls it on threads of its own, so Threads::Every is needed
    GetPeerName,  ///< getpeername(2)
    GetSockName,  ///< getsockname(2)
    GetSockOpt,   ///< getsockopt(2)
    Listen,       ///< listen(2)
    Pipe2,        ///< pipe2(2)
    Poll,         ///< poll(2), ppoll(2)
    Read,         ///< read(2)
    Recv,         ///< recv(2), recvfrom(2)
    RecvMsg,      ///< recvmsg(2)
    Send,         ///< send(2), sendto(2)
    SendFile,     ///< sendfile(2)
    SendMsg,      ///< sendmsg(2)
    SetSockOpt,   ///< setsockopt(2)
    Shutdown,     ///< shutdown(2)
    Socket,       ///< socket(2)
    Splice,       ///< splice(2)
    Write,        ///< write(2)
};
/// How many kinds of calls there are.
inline constexpr std::size_t callCount = static_cast<std::size_t>(Call::Write) + 1;

/// As its man page is called: "accept4".
std::string_view nameOf(Call call) noexcept;
/// The errno values with which its man page says that it fails, those of tcp(7) included; getaddrinfo(3) has numbers of
/// its own, EAI_AGAIN and the like.
std::span<const int> errorsOf(Call call) noexcept;

/// Which calls of one kind a rule is for, counted from the moment at which the rule is made.
class When {
  public:
    /// Each.
    static constexpr When always() noexcept { return from(1); }
    /// The next, and no other.
    static constexpr When once() noexcept { return nth(1); }
    /// Just the n-th; 1 is the next.
    static constexpr When nth(std::uint64_t n) noexcept { return {n, n, certain, 0}; }
    /// The n-th and all behind it.
    static constexpr When from(std::uint64_t n) noexcept { return {n, UINT64_MAX, certain, 0}; }
    /// Each with this probability, 0 to 1. The same seed chooses the same calls.
    static constexpr When byChance(double probability, std::uint64_t seed) noexcept {
        return {1, UINT64_MAX, probability, seed};
    }

  private:
    friend struct Interposed;

    static constexpr double certain = 2;
    constexpr When(std::uint64_t first, std::uint64_t last, double probability, std::uint64_t seed) noexcept
        : first_(first), last_(last), probability_(probability), random_(seed) {}
    bool takesNext() noexcept;

    std::uint64_t first_;
    std::uint64_t last_;
    double probability_;
    std::uint64_t random_;
    std::uint64_t seen_ = 0;
};

/// As long as it lives, calls to the system fail as its rules say. The library under test is the one that is shipped:
/// this one stands between it and the C library, by having functions of the same names (Linux, dynamic linking).
///
///     Faults faults;
///     faults.fail(Call::Send, ECONNRESET, When::nth(3));   // the third from now on
///     faults.shorten(Call::Recv, 1);                       // each gets a byte at most
///     faults.fail(Call::Accept4, EMFILE, When::byChance(0.1, seed));
///     runTheServer();
///     CHECK(faults.injected() != 0);
///
/// A call that fails has done nothing but that (close(2) closes). Several may live: all of their rules hold, and the
/// error is that of the innermost. A Faults of one thread is used there; one of Threads::Every on any, and its rules
/// are made before the calls that they are for.
class Faults {
  public:
    /// Whose calls the rules are for.
    enum class Threads {
        This,  ///< What the thread that made it calls, and nobody else.
        Every, ///< What any thread of the process calls.
    };

    /// Without a rule it only counts.
    explicit Faults(Threads threads = Threads::This);
    Faults(const Faults&) = delete;
    Faults& operator=(const Faults&) = delete;
    ~Faults(); ///< All is as ever again.

    /// Has the call return −1 with this errno; getaddrinfo(3) returns it; operator new throws std::bad_alloc, and
    /// returns null where it may not throw.
    Faults& fail(Call call, int error, When when = When::always());
    /// Has a call that transfers bytes be offered so many at most, and at least one; epoll_wait(2): events.
    Faults& shorten(Call call, std::size_t most, When when = When::always());
    /// Has the calling thread sleep before the call, in real time.
    Faults& delay(Call call, std::chrono::milliseconds by, When when = When::always());
    /// Ends all rules.
    void clear() noexcept;

    std::uint64_t calls(Call call) const noexcept; ///< How many have been made in its life, failed ones included.
    std::uint64_t injected() const noexcept;       ///< How many a rule has taken.

  private:
    struct Rule;
    struct Rules;
    friend struct Interposed;

    Rules* rules_ = nullptr;
    Faults* outer_ = nullptr;
    const Threads threads_;
    std::uint64_t calls_[callCount] = {};
    std::uint64_t injected_ = 0;
};

/// As long as one lives, calls of the thread that made it are neither failed nor counted: for what a test itself does
/// in the midst of it.
class NoFaults {
  public:
    NoFaults() noexcept; ///< From here on.
    NoFaults(const NoFaults&) = delete;
    NoFaults& operator=(const NoFaults&) = delete;
    ~NoFaults(); ///< As before.
};

/// Calls `scenario(n)` with n = 1, 2, 3, ...; each time just the n-th such call fails, until a run needs no fault for
/// it makes fewer calls. So every place that calls has failed once. How many runs had a fault.
///
///     failEach(Call::Recv, ECONNRESET, [](std::uint64_t n) {
///         CAPTURE(n);
///         CHECK(echoes().endsWell());
///     });
template <class Scenario>
std::uint64_t failEach(Call call, int error, Scenario scenario, Faults::Threads threads = Faults::Threads::This) {
    for (std::uint64_t n = 1;; ++n) {
        Faults faults(threads);
        faults.fail(call, error, When::nth(n));
        scenario(n);
        if (faults.injected() == 0)
            return n - 1;
    }
}

} // namespace halyard::testing
