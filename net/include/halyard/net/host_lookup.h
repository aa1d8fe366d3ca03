#pragma once

#include <halyard/core/clock.h>
#include <halyard/core/dispatchable.h>
#include <halyard/core/object.h>
#include <halyard/net/host_address.h>
#include <halyard/net/socket_types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace halyard {

class HostQuery;

/// What is known about the name of a host: its addresses, or why there are none.
struct HostAnswer {
    std::vector<HostAddress> addresses;    ///< In the order in which to try them; none twice.
    SocketError error = SocketError::None; ///< None where there are addresses.
    std::string cause;                     ///< What went wrong, for people; to stand after "cannot find the host: ".
};

/// Finds the addresses of a host by its name, without blocking.
///
///     HostLookup lookup;
///     lookup.finished.connect([&] {
///         for (const HostAddress& address : lookup.addresses())
///             std::cout << address.toString() << '\n';
///         std::cerr << lookup.errorString();
///     });
///     lookup.start("example.org");
///
/// What is an address already ("192.0.2.1", "fe80::1%eth0") is its own answer. "localhost" and what ends in
/// ".localhost" are ::1 and 127.0.0.1, and nothing is called ".invalid" (RFC 6761 section 6): nobody is asked for
/// these. All else is what getaddrinfo(3) says, in the order of RFC 6724: hosts file, DNS, what nsswitch.conf(5) has.
///
/// getaddrinfo(3) blocks and cannot be interrupted, so it runs on threads of the library: up to eight at a time, made
/// when they are needed and ended when they have been idle for ten seconds. Further lookups wait for their turn. One
/// that was aborted makes room at once, even though its thread goes on until the system answers; only where 64 threads
/// hang in this way, and nothing else runs, do lookups fail at once, with Temporary. No thread holds up the end of
/// the program.
/// @since 0.1
class HALYARD_API HostLookup : public Object, private Dispatchable {
  public:
    /// Answers for a name, on a thread of the library; several at once. It may block.
    using Resolver = std::function<HostAnswer(const std::string& name)>;

    explicit HostLookup(Object* parent = nullptr); ///< It looks for nothing yet.

    /// Ends a lookup under way. Emits nothing but destroyed.
    ~HostLookup() override;

    /// Starts to look `name` up: finished comes later, from the loop or in a wait. False, with a logged sentence, while
    /// another lookup is under way, which goes on.
    bool start(std::string name);

    /// Ends a lookup under way, of which nothing will be heard; harmless when there is none.
    void abort();

    bool isRunning() const noexcept { return state_ == State::Running; }   ///< An answer is still to come.
    bool isFinished() const noexcept { return state_ == State::Finished; } ///< Not after abort().

    const std::string& name() const noexcept { return name_; } ///< As it was given to start().

    /// In the order in which to try them (RFC 6724), none twice; empty until a lookup has finished well.
    const std::vector<HostAddress>& addresses() const noexcept { return answer_.addresses; }

    /// Why there are no addresses. HostNotFound: there is no such name, or what was given can be no name. Temporary:
    /// nobody knows now (EAI_AGAIN), so a later lookup may be luckier. SocketResource: no memory, descriptors or
    /// threads.
    SocketError error() const noexcept { return answer_.error; }
    /// The same for people, with the name and the cause; "" where there is no error.
    std::string errorString() const;

    /// Waits, without an event loop and with nothing else of the application running but direct slots of this object,
    /// for at most `msec` milliseconds: a negative time waits for ever, 0 only looks. True where the lookup has
    /// finished on return, well or not; when the time is over it goes on.
    bool waitForFinished(int msec = 30000);
    bool waitForFinished(std::optional<Clock::time_point> until); ///< None: for ever.

    /// The lookup has finished, well or not: once for each start() that was not aborted. A slot may do anything.
    Signal<> finished{this};

    /// Asks `resolver` instead of getaddrinfo(3) from now on, in the whole process; an empty one takes that back.
    /// For tests, and for who has another name service. It is asked for valid names only, never for those that need
    /// nobody to be asked, and must stay callable until the program ends. An exception is an answer: Unknown.
    /// Thread-safe.
    static void setResolver(Resolver resolver);

  protected:
    void leavingThread() override;
    void enteredThread() override; ///< It goes on, and tells the new thread.

  private:
    enum class State : std::uint8_t { Idle, Running, Finished };

    void dispatch() override;
    void forgetQuery();

    std::string name_;
    HostAnswer answer_;
    std::shared_ptr<HostQuery> query_; ///< none where nobody is asked
    State state_ = State::Idle;
};

} // namespace halyard
